import Testing

@testable import MessageBoard

@Suite struct ReceiptLineTests {
    typealias Source = ReceiptLine.Source

    @Test(
        arguments: [
            (Source(pool: "standby", microseconds: 3_100), nil, "Read from standby in 3.1 ms."),
            (
                Source(pool: "standby", node: "127.0.0.12:5433", microseconds: 3_149, lag: .milliseconds(4)), nil,
                "Read from standby 127.0.0.12 in 3.1 ms, 4 ms behind."
            ),
            (
                Source(pool: "standby", microseconds: 900, lag: .milliseconds(0)), nil,
                "Read from standby in 0.9 ms, up to date."
            ),
            (
                Source(pool: "standby", microseconds: 900, lag: .unknown), nil,
                "Read from standby in 0.9 ms, how far behind is not known."
            ),
            (
                Source(pool: "standby", node: "127.0.0.12:5433", microseconds: 3_149, lag: .milliseconds(4)), "primary",
                "Stored on the primary; this page waited for your message and was read from standby 127.0.0.12 "
                    + "in 3.1 ms, 4 ms behind."
            ),
            (
                Source(pool: "primary", microseconds: 2_250), "primary",
                "Stored on the primary; this page read from the primary in 2.3 ms."
            ),
            (Source(pool: nil), nil, "Read from the database."),
            (Source(pool: "standby", microseconds: 12), nil, "Read from standby in 0.1 ms."),
            (Source(pool: "standby", node: "::1"), nil, "Read from standby ::1."),
            (Source(pool: "standby", node: "[::1]:5433"), nil, "Read from standby [::1]."),
            (Source(pool: "standby", node: "db-2:"), nil, "Read from standby db-2:."),
        ] as [(Source, String?, String)])
    func saysWhereThePageCameFrom(source: Source, storedOn: String?, text: String) {
        #expect(ReceiptLine(read: source, storedOn: storedOn).text == text)
    }
}
