/// The numbers of the fields that the judge reads by name. Looked up by name at start: a libpg_query that numbers them
/// otherwise cannot be misread, and one that lacks a name stops the process at once.
struct FieldNumbers: Sendable {
    let stmts, rawStmt: UInt32
    let listItems, string: UInt32
    let schemaName, relationName, persistence: UInt32
    let functionName, functionArguments, columnFields, attributes: UInt32
    let parameterNumber: UInt32
    let constantBoolean, constantString, booleanValue, castArgument, argumentName, argumentValue: UInt32
    let withNames, withIsRecursive, commonTableName: UInt32
    let intoOnCommit: UInt32
    let optionName, optionValue, integer: UInt32
    let explainQuery, explainOptions: UInt32
    let copyRelation, copyColumns, copyIsFrom, copyIsProgram, copyFile: UInt32
    let setName, setIsLocal, setValues: UInt32
    let transactionKind: UInt32
    let cursorOptions: UInt32
    let createOnCommit: UInt32
    let createTableAsInto: UInt32
    let dropIsConcurrent, reindexName: UInt32
    let createdSchema: UInt32
    let indexIsConcurrent, reindexKind, reindexParameters, alterTableCommands: UInt32
    let typeNames, objectName: UInt32
    let commandDefinition, partitionIsConcurrent: UInt32

    init(_ numbers: [String: UInt32]) {
        func number(_ path: String) -> UInt32 {
            guard let number = numbers[path] else { preconditionFailure("libpg_query has no field \(path)") }
            return number
        }
        stmts = number("ParseResult.stmts")
        rawStmt = number("RawStmt.stmt")
        listItems = number("List.items")
        string = number("String.sval")
        schemaName = number("RangeVar.schemaname")
        relationName = number("RangeVar.relname")
        persistence = number("RangeVar.relpersistence")
        functionName = number("FuncCall.funcname")
        functionArguments = number("FuncCall.args")
        columnFields = number("ColumnRef.fields")
        attributes = number("AIndirection.indirection")
        parameterNumber = number("ParamRef.number")
        constantBoolean = number("AConst.boolval")
        constantString = number("AConst.sval")
        booleanValue = number("Boolean.boolval")
        castArgument = number("TypeCast.arg")
        argumentName = number("NamedArgExpr.name")
        argumentValue = number("NamedArgExpr.arg")
        withNames = number("WithClause.ctes")
        withIsRecursive = number("WithClause.recursive")
        commonTableName = number("CommonTableExpr.ctename")
        intoOnCommit = number("IntoClause.on_commit")
        optionName = number("DefElem.defname")
        optionValue = number("DefElem.arg")
        integer = number("Integer.ival")
        explainQuery = number("ExplainStmt.query")
        explainOptions = number("ExplainStmt.options")
        copyRelation = number("CopyStmt.relation")
        copyColumns = number("CopyStmt.attlist")
        copyIsFrom = number("CopyStmt.is_from")
        copyIsProgram = number("CopyStmt.is_program")
        copyFile = number("CopyStmt.filename")
        setName = number("VariableSetStmt.name")
        setIsLocal = number("VariableSetStmt.is_local")
        setValues = number("VariableSetStmt.args")
        transactionKind = number("TransactionStmt.kind")
        cursorOptions = number("DeclareCursorStmt.options")
        createOnCommit = number("CreateStmt.oncommit")
        createTableAsInto = number("CreateTableAsStmt.into")
        reindexName = number("ReindexStmt.name")
        dropIsConcurrent = number("DropStmt.concurrent")
        createdSchema = number("CreateSchemaStmt.schemaname")
        indexIsConcurrent = number("IndexStmt.concurrent")
        reindexKind = number("ReindexStmt.kind")
        reindexParameters = number("ReindexStmt.params")
        alterTableCommands = number("AlterTableStmt.cmds")
        typeNames = number("TypeName.names")
        objectName = number("ObjectWithArgs.objname")
        commandDefinition = number("AlterTableCmd.def")
        partitionIsConcurrent = number("PartitionCmd.concurrent")
    }
}
