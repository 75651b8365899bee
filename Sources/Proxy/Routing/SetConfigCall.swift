/// A call of set_config(name, value, is_local), by position or by name.
struct SetConfigCall {
    private let arguments: [ProtobufMessage?]
    private let fields = Grammar.shared.fields

    init(_ call: ProtobufMessage) {
        let grammar = Grammar.shared
        var byPlace: [ProtobufMessage?] = [nil, nil, nil]
        var place = 0
        call.forEach(grammar.fields.functionArguments) { node in
            guard let content = node.content else { return }
            if content.number == grammar.namedArgumentNode {
                let named = ProtobufMessage(content.bytes)
                let names = ["setting_name", "new_value", "is_local"]
                if let index = names.firstIndex(of: named.string(grammar.fields.argumentName)) {
                    byPlace[index] = named.message(grammar.fields.argumentValue)
                }
            } else {
                if place < byPlace.count { byPlace[place] = node }
                place += 1
            }
        }
        arguments = byPlace
    }

    var refusal: Refusal? {
        guard let isLocal = arguments[2], isConstantTrue(isLocal) else { return .setConfig }
        // Under a name that is made at run time any setting could be changed, those that the judgement rests on too.
        guard let name = arguments[0].flatMap(constant).map(constantText) else { return .settingNameUnknown }
        if isProtectedSetting(name) { return .protectedSetting }
        let value = arguments[1].flatMap(constant).map(constantText) ?? ""
        return namesTemporarySchema(setting: name, value: value) ? .temporarySearchPath : nil
    }

    /// The constant that a node is, through any casts.
    private func constant(_ node: ProtobufMessage) -> ProtobufMessage? {
        let grammar = Grammar.shared
        var node = node
        for _ in 0..<8 {
            guard let content = node.content else { return nil }
            if content.number == grammar.constantNode { return ProtobufMessage(content.bytes) }
            guard content.number == grammar.castNode,
                let inner = ProtobufMessage(content.bytes).message(fields.castArgument)
            else { return nil }
            node = inner
        }
        return nil
    }

    private func constantText(_ constant: ProtobufMessage) -> String {
        constant.message(fields.constantString)?.string(fields.string) ?? ""
    }

    private func isConstantTrue(_ node: ProtobufMessage) -> Bool {
        guard let constant = constant(node) else { return false }
        if let boolean = constant.message(fields.constantBoolean) { return boolean.flag(fields.booleanValue) }
        return ["true", "t"].contains(constantText(constant).lowercased())
    }
}

/// Whether tables that are created without a schema would be temporary ones.
func namesTemporarySchema(setting: String, value: String) -> Bool {
    setting.lowercased() == "search_path" && value.lowercased().contains("pg_temp")
}

/// Settings that would make the statement that runs another one than the one that was judged.
func isProtectedSetting(_ name: String) -> Bool {
    ["client_encoding", "standard_conforming_strings"].contains(name.lowercased())
}
