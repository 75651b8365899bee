import CLibPQ
import Glibc

/// The outcomes of cancel requests that run on threads of their own; see `ServerConnection.startCancel`.
package final class CancelReports {
    /// The most requests on their way or unread at once.
    package static let limit = Int(POINTSMAN_CANCEL_LIMIT)

    let reports: OpaquePointer
    private var pending = 0

    /// Fails when no descriptor is left.
    package init() throws(UpstreamError) {
        guard let reports = pointsman_cancel_reports_create() else {
            throw .noDescriptor(errno)
        }
        self.reports = reports
    }

    deinit {
        pointsman_cancel_reports_free(reports)
    }

    /// Readable when there is something to drain; non-blocking, and owned by this object.
    package var fileDescriptor: Int32 { pointsman_cancel_reports_descriptor(reports) }

    /// All outcomes so far: the number given to `startCancel`, and whether the request was delivered. Delivered says
    /// only that the other end took it, not that a statement was cancelled by it.
    package func drain() -> [(id: UInt64, isDelivered: Bool)] {
        var outcomes: [(id: UInt64, isDelivered: Bool)] = []
        var report = pointsman_cancel_report()
        while pointsman_cancel_reports_next(reports, &report) {
            pending -= 1
            outcomes.append((report.id, report.is_delivered == 1))
        }
        return outcomes
    }

    func start(_ connection: OpaquePointer, id: UInt64) -> Bool {
        guard pending < CancelReports.limit, pointsman_cancel_start(connection, reports, id) else { return false }
        pending += 1
        return true
    }
}
