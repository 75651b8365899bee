import Testing

@testable import MessageBoard

@Suite struct FormBodyTests {
    @Test(arguments: [
        ("msg=hello", "hello"), ("msg=a+b%2Bc", "a b+c"), ("msg=", ""), ("msg", ""), ("a=1&msg=x&b=2", "x"),
        ("msg=%E2%82%AC", "€"), ("msg=a%0D%0Ab", "a\r\nb"), ("msg=a=b", "a=b"), ("&&msg=x&", "x"),
        ("m%73g=x", "x"), ("msg=%00", "\0"), ("msg=%F0%9f%8E%89", "🎉"),
    ])
    func fieldsAreDecoded(body: String, value: String) throws {
        #expect(try FormBody(Array(body.utf8))["msg"] == value)
    }

    @Test func aFieldThatIsNotThereIsNil() throws {
        #expect(try FormBody([])["msg"] == nil)
        #expect(try FormBody(Array("other=1".utf8))["msg"] == nil)
    }

    @Test(arguments: [
        ("msg=%", FormBody.Problem.badEscape), ("msg=%4", .badEscape), ("msg=%zz", .badEscape), ("msg=%4", .badEscape),
        ("msg=%C3", .invalidUTF8), ("msg=%ED%A0%80", .invalidUTF8), ("msg=%C0%80", .invalidUTF8),
        ("msg=1&msg=2", .repeatedField), ("msg=1&m%73g=2", .repeatedField),
    ])
    func whatIsNoFormIsRefused(body: String, problem: FormBody.Problem) {
        #expect(throws: problem) { try FormBody(Array(body.utf8)) }
    }

    @Test func manyFieldsAreRefused() {
        let body = (0..<17).map { "f\($0)=1" }.joined(separator: "&")
        #expect(throws: FormBody.Problem.tooManyFields) { try FormBody(Array(body.utf8)) }
    }
}
