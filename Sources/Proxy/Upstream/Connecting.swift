// What both kinds of connections do with libpq until they are connected, and when they fail.

import CLibPQ
import Glibc

/// Starts to connect. Nil: no memory. A wrong conninfo is told by the first `pollConnecting`.
func startConnecting(_ conninfo: String) -> OpaquePointer? {
    conninfo.withCString { conninfo in
        "dbname".withCString { name in
            "client_encoding".withCString { encoding in
                "UTF8".withCString { utf8 in
                    // The last word wins, so the encoding overrules the one of the expanded conninfo.
                    PQconnectStartParams([name, encoding, nil], [conninfo, utf8, nil], 1)
                }
            }
        }
    }
}

/// Goes on with connecting; `hasPolled` is false before the first time.
func pollConnecting(_ connection: OpaquePointer, hasPolled: inout Bool) -> ConnectOutcome {
    guard hasPolled else {
        hasPolled = true
        // libpq has to be asked only once the socket can be written.
        return PQstatus(connection) == CONNECTION_BAD ? .failed : .wantsWrite
    }
    switch PQconnectPoll(connection) {
    case PGRES_POLLING_READING: return .wantsRead
    case PGRES_POLLING_WRITING: return .wantsWrite
    case PGRES_POLLING_OK: return .connected
    default: return .failed
    }
}

/// libpq's last error, without the line feed at its end.
func errorText(of connection: OpaquePointer) -> String {
    var text = cString(PQerrorMessage(connection))[...]
    while let last = text.last, last == 0x0A { text = text.dropLast() }
    return String(decoding: text, as: UTF8.self)
}
