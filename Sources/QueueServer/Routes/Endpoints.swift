internal import HTTPTypes
internal import Hummingbird

/// All operations of the API: the only list of them. The router, the access check and the OpenAPI document are made from it.
enum Endpoints {
  static let all: [Endpoint] = reading + writing + consumers + leases + queues + segments + deadLetters + about

  private typealias Parameter = Endpoint.Parameter
  private typealias Answer = Endpoint.Answer

  // MARK: Parts that several have

  static let problem = "application/problem+json"
  private static let size = "^([1-9][0-9]{0,7}|[1-9][0-9]{0,4}(kB|KB|KiB)|[1-9][0-9]?(MB|MiB))$"
  private static let offset = "^(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,17})$"

  private static func json(_ schema: String) -> [(type: String, schema: String)] { [("application/json", schema)] }

  private static func refusals(_ list: (Int, String)...) -> [Answer] {
    // What every operation may answer.
    (list + [
      (400, "The request is malformed; the detail says where."), (401, "No token, or none that is known."),
      (403, "The token doesn't allow it."),
      (429, "Too many requests; Retry-After says when to ask again."),
      (503, "Starting, stopping or busy; Retry-After says when to ask again."),
    ])
    .reduce(into: [Int: String]()) { known, answer in known[answer.0] = known[answer.0] ?? answer.1 }
    .sorted { $0.key < $1.key }
    .map { Answer(status: $0.key, meaning: $0.value, contents: [(problem, "Problem")]) }
  }

  private static let noQueue = (404, "No such queue.")
  private static let batchHeaders = [
    "Sluice-First-Offset", "Sluice-Next-Offset", "Sluice-Records", "Sluice-Bytes", "Sluice-Lag", "Sluice-Lag-Bytes", "Sluice-Gap",
  ]

  private static let maxRecords = Parameter(name: "max_records", kind: .integer(1...1_000_000_000), meaning: "The most records.")
  private static let maxBytes = Parameter(
    name: "max_bytes", kind: .pattern(size, example: "1MiB"),
    meaning: "The most bytes of lines, up to 64MiB (1MiB without it); one longer record comes alone.")
  private static let wait = Parameter(
    name: "wait", kind: .pattern("^(0|[1-9][0-9]{0,4})ms$|^([0-9]|[1-4][0-9]|5[0-5])s$", example: "20s"),
    meaning: "How long to wait for records when there are none, up to 55s.")
  private static let format = Parameter(
    name: "format", kind: .choice(PullParameters.Format.allCases.map(\.rawValue)), meaning: "How records are written.")

  // MARK: Records

  private static let reading = [
    Endpoint(
      id: "pullRecords", method: .get, path: "/v1/queues/{queue}/records", access: .scoped(.read),
      summary: "Records from a consumer's cursor or from any offset on; waits for them when asked to.",
      parameters: [
        Parameter(
          name: "consumer", kind: .pattern("^[a-z0-9][a-z0-9._-]{0,63}$", example: "nightly"), meaning: "Read from this consumer's cursor."),
        Parameter(
          name: "offset", kind: .text(example: "oldest"),
          meaning: "Read from here and remember nothing: oldest, newest, an offset E-N, or a time (RFC 3339)."),
        Parameter(
          name: "commit", kind: .pattern(offset, example: "3-120045"),
          meaning: "First move the consumer's cursor here: the Sluice-Next-Offset of the last answer that was dealt with."),
        maxRecords, maxBytes,
        Parameter(
          name: "min_bytes", kind: .pattern(size, example: "64KiB"),
          meaning: "With wait: answer only when there is so much, or the time is over."),
        wait, format,
      ],
      answers: [
        Answer(
          status: 200, meaning: "Records, a gap, or both, the gap first. With Accept-Encoding: gzip one gzip member.",
          contents: [("text/plain; charset=utf-8", "Lines"), ("application/json", "Records")], headers: batchHeaders),
        Answer(status: 204, meaning: "Nothing came.", headers: batchHeaders.dropLast()),
      ]
        + refusals(
          (404, "No such queue or consumer."), (409, "The commit is outside of what the consumer was given, or it is a sink's consumer."),
          (410, "What would be read is gone; 'oldest' tells where to go on, and for a consumer what was lost.")),
      handle: { try await PullHandler($0).respond() }),
    Endpoint(
      id: "streamRecords", method: .get, path: "/v1/queues/{queue}/stream", access: .scoped(.read),
      summary: "Records as they become durable, in one answer that goes on: Server-Sent Events, or one JSON object a line.",
      parameters: [
        Parameter(
          name: "consumer", kind: .pattern("^[a-z0-9][a-z0-9._-]{0,63}$", example: "nightly"),
          meaning: "Begin at this consumer's cursor. Sending commits nothing."),
        Parameter(
          name: "offset", kind: .text(example: "newest"),
          meaning: "Begin here and remember nothing: oldest, newest, an offset E-N, or a time (RFC 3339)."),
        Parameter(
          name: "Last-Event-ID", place: .header, kind: .pattern(offset, example: "3-120045"),
          meaning: "Go on behind an earlier stream, whose last 'id' or 'next' this is; it wins over offset."),
        Parameter(
          name: "max_bytes", kind: .pattern(size, example: "64KiB"),
          meaning: "The most bytes of one event's lines, up to 8MiB (256KiB without it); one longer record comes alone."),
        Parameter(
          name: "heartbeat", kind: .pattern("^([1-9]|[1-5][0-9]|60)s$|^([1-9][0-9]{3}|[1-5][0-9]{4}|60000)ms$", example: "15s"),
          meaning: "After so long without an event a heartbeat comes, 1s to 60s (15s without it)."),
        Parameter(
          name: "format", kind: .choice(StreamParameters.Form.allCases.map(\.rawValue)),
          meaning: "How events are written; without it sse for who accepts text/event-stream, else ndjson."),
      ],
      answers: [
        Answer(
          status: 200, meaning: "Events until the client, the consumer or the server ends it.",
          contents: [("text/event-stream", "StreamEvents"), ("application/x-ndjson", "StreamEvents")])
      ]
        + refusals(
          (404, "No such queue or consumer."), (409, "It is a sink's consumer, or one of leases."),
          (410, "What would be read is gone; 'oldest' tells where to go on.")),
      handle: { try await StreamHandler($0).respond() }),
  ]

  private static let writing = [
    Endpoint(
      id: "pushRecords", method: .post, path: "/v1/queues/{queue}/records", access: .scoped(.write),
      summary: "Appends records; they are on the disk when it answers 200.",
      parameters: [
        Parameter(
          name: "Idempotency-Key", place: .header, kind: .pattern("^[!-~]{1,128}$", example: "batch-2026-09-01"),
          meaning: "A request under a key that was used before appends nothing and gives the first one's answer.")
      ],
      body: Endpoint.Body(
        contents: [("text/plain", "Lines"), ("application/x-ndjson", "Lines"), ("application/json", "Records")], isRequired: false),
      answers: [Answer(status: 200, meaning: "The records are in the queue, on the disk.", contents: json("Pushed"))]
        + refusals(
          noQueue, (409, "The queue is one of dead letters."), (413, "The body or a line is too large."),
          (415, "A form, or a Content-Encoding other than gzip."), (422, "The key was used for another body."),
          (429, "The queue is full; nothing was appended.")),
      handle: { try await PushHandler($0).respond() })
  ]

  // MARK: Consumers

  private static let consumers: [Endpoint] = {
    let one = "/v1/queues/{queue}/consumers/{consumer}"
    let noConsumer = (404, "No such queue or consumer.")
    let aSinks = (409, "It is a sink's consumer.")
    return [
      Endpoint(
        id: "listConsumers", method: .get, path: "/v1/queues/{queue}/consumers", access: .scoped(.read), summary: "A queue's consumers.",
        answers: [Answer(status: 200, meaning: "The consumers.", contents: json("ConsumerList"))] + refusals(noQueue),
        handle: ConsumerHandlers.list),
      Endpoint(
        id: "showConsumer", method: .get, path: one, access: .scoped(.read),
        summary: "A consumer, with its lag and the time until it loses data.",
        answers: [Answer(status: 200, meaning: "The consumer.", contents: json("Consumer"))] + refusals(noConsumer),
        handle: ConsumerHandlers.show),
      Endpoint(
        // Making or changing one asks for more, in its handler.
        id: "createConsumer", method: .put, path: one, access: .scoped(.read),
        summary: "Makes a consumer, or changes what it holds. From then on the queue keeps its unread records.",
        body: Endpoint.Body(contents: [("application/json", "ConsumerWish")], isRequired: false),
        answers: [
          Answer(status: 200, meaning: "It was there.", contents: json("Consumer")),
          Answer(status: 201, meaning: "It was made.", contents: json("Consumer")),
        ]
          + refusals(
            noQueue, aSinks, (410, "start_at is no place of the queue any more."), (413, "The body is too large."),
            (422, "The name or mode isn't allowed.")),
        handle: ConsumerHandlers.create),
      Endpoint(
        id: "deleteConsumer", method: .delete, path: one, access: .scoped(.admin), summary: "Removes a consumer; what it held may go.",
        answers: [Answer(status: 204, meaning: "It is gone.")] + refusals(noConsumer, aSinks), handle: ConsumerHandlers.delete),
      Endpoint(
        id: "commitConsumer", method: .post, path: one + "/commit", access: .scoped(.read),
        summary: "Moves a consumer's cursor to what was dealt with.",
        body: Endpoint.Body(contents: [("application/json", "Commit")]),
        answers: [Answer(status: 200, meaning: "The cursor is on the disk.", contents: json("Consumer"))]
          + refusals(
            noConsumer, (409, "Outside of what it was given, or it is a sink's consumer."), (410, "No place of the queue any more."),
            (413, "The body is too large.")),
        handle: ConsumerHandlers.commit),
      Endpoint(
        id: "seekConsumer", method: .post, path: one + "/seek", access: .scoped(.admin),
        summary: "Sets a consumer to another place, back or forth.",
        body: Endpoint.Body(contents: [("application/json", "Seek")]),
        answers: [Answer(status: 200, meaning: "It stands there.", contents: json("Consumer"))]
          + refusals(noConsumer, aSinks, (410, "No place of the queue any more."), (413, "The body is too large.")),
        handle: ConsumerHandlers.seek),
    ]
  }()

  private static let leases: [Endpoint] = {
    let all = "/v1/queues/{queue}/consumers/{consumer}/leases"
    let duration = Parameter(
      name: "duration", kind: .pattern("^([1-9][0-9]{0,3})s$|^([1-9]|[1-9][0-9]|[1-6][0-9]{2})m$", example: "30s"),
      meaning: "How long the range is lent, from 1s to 12h (30s without it).")
    func one(
      _ id: String, _ word: String, _ summary: String, _ parameters: [Parameter] = [],
      _ handle: @escaping @Sendable (Call) async throws -> Response
    ) -> Endpoint {
      Endpoint(
        id: id, method: .post, path: all + "/{lease}/" + word, access: .scoped(.read), summary: summary, parameters: parameters,
        answers: [Answer(status: 200, meaning: "Done, and on the disk.", contents: json("Lease"))]
          + refusals(
            (404, "No such queue or consumer."),
            (409, "The lease ended and the range was given again, or the consumer has a cursor.")),
        handle: handle)
    }
    return [
      Endpoint(
        id: "lease", method: .post, path: all, access: .scoped(.read),
        summary: "Lends a range of records to one of the consumer's workers; what came back goes before what is new.",
        parameters: [maxRecords, maxBytes, wait, duration, format],
        answers: [
          Answer(
            status: 200, meaning: "Records, a gap, or both, the gap first; acknowledge them by the lease in Sluice-Lease.",
            contents: [("text/plain; charset=utf-8", "Lines"), ("application/json", "Records")],
            headers: batchHeaders + ["Sluice-Lease", "Sluice-Deliveries", "Sluice-Dead-Letters"]),
          Answer(status: 204, meaning: "Nothing came, or as much is on loan as may be."),
        ] + refusals((404, "No such queue or consumer."), (409, "The consumer has a cursor, or is a sink's.")),
        handle: { try await LeaseHandler($0).respond() }),
      one(
        "acknowledgeLease", "acknowledge", "The records are dealt with; the cursor passes them when everything before them is, too.", [],
        LeaseOperations.acknowledge),
      one("extendLease", "extend", "Lends the records for so long from now on.", [duration], LeaseOperations.extend),
      one("releaseLease", "release", "Gives the records back; they are lent again at once.", [], LeaseOperations.release),
    ]
  }()

  // MARK: Queues

  private static let queues = [
    Endpoint(
      id: "status", method: .get, path: "/v1/status", access: .token,
      summary:
        "The queues that the token may read, with rates, forecasts, segments, and a running pipeline's sources and sinks; with Accept: text/event-stream once a second, as events named status.",
      answers: [
        Answer(
          status: 200, meaning: "The status, or events of it.",
          contents: [("application/json", "Status"), ("text/event-stream", "Events")])
      ] + refusals((429, "Too many requests, or too many listen; Retry-After says when to ask again.")), handle: StatusHandler.respond),
    Endpoint(
      id: "listQueues", method: .get, path: "/v1/queues", access: .token,
      summary: "The queues that this server has and the token may read.",
      answers: [Answer(status: 200, meaning: "The queues.", contents: json("QueueList"))] + refusals(), handle: QueueHandlers.list),
    Endpoint(
      id: "showQueue", method: .get, path: "/v1/queues/{queue}", access: .scoped(.read), summary: "A queue and its consumers.",
      answers: [Answer(status: 200, meaning: "The queue.", contents: json("Queue"))] + refusals(noQueue), handle: QueueHandlers.show),
    Endpoint(
      id: "sealQueue", method: .post, path: "/v1/queues/{queue}/seal", access: .scoped(.admin),
      summary: "Ends the active segment, so that everything durable so far stands in sealed ones.",
      answers: [Answer(status: 200, meaning: "It is sealed.", contents: json("Queue"))] + refusals(noQueue), handle: QueueHandlers.seal),
  ]

  private static let segments: [Endpoint] = {
    let one = "/v1/queues/{queue}/segments/{segment}"
    let headers = ["ETag", "Accept-Ranges"]
    let gzip = [(type: "application/gzip", schema: "Bytes")]
    let answers =
      [
        Answer(status: 200, meaning: "The file, an ordinary gzip file of lines that never changes.", contents: gzip, headers: headers),
        Answer(status: 206, meaning: "The range of it.", contents: gzip, headers: headers + ["Content-Range"]),
        Answer(status: 304, meaning: "The client has it.", headers: headers),
      ] + refusals((404, "No such queue or sealed segment."), (416, "No byte of it is in the range."))
    let range = [
      Endpoint.Parameter(
        name: "Range", place: .header, kind: .text(example: "bytes=0-65535"),
        meaning: "One range of bytes; several are answered with the whole file."),
      Endpoint.Parameter(
        name: "If-None-Match", place: .header, kind: .text(example: "\"0123abcd\""), meaning: "The ETag of what the client has."),
    ]
    return [
      Endpoint(
        id: "listSegments", method: .get, path: "/v1/queues/{queue}/segments", access: .scoped(.read),
        summary: "A queue's segments; sealed ones can be downloaded.",
        answers: [Answer(status: 200, meaning: "The segments.", contents: json("SegmentList"))] + refusals(noQueue),
        handle: SegmentHandlers.list),
      Endpoint(
        id: "downloadSegment", method: .get, path: one, access: .scoped(.read), summary: "A sealed segment as a static file.",
        parameters: range,
        answers: answers, handle: SegmentHandlers.download),
      Endpoint(
        id: "describeSegment", method: .head, path: one, access: .scoped(.read), summary: "A sealed segment's length and ETag.",
        parameters: range,
        answers: answers.map { Answer(status: $0.status, meaning: $0.meaning, headers: $0.headers) },
        handle: SegmentHandlers.download),
    ]
  }()

  private static let deadLetters = [
    Endpoint(
      id: "showDeadLetters", method: .get, path: "/v1/queues/{queue}/dead-letters", access: .scoped(.read),
      summary: "What the queue's sinks have set aside; the records stand in the queue that it names.",
      answers: [Answer(status: 200, meaning: "What there is.", contents: json("DeadLetters"))] + refusals(noQueue),
      handle: QueueHandlers.deadLetters),
    Endpoint(
      id: "putBack", method: .post, path: "/v1/queues/{queue}/dead-letters/put-back", access: .scoped(.admin),
      summary: "Gives a sink again what it has set aside, before its next new batch. The queue itself gets nothing twice.",
      body: Endpoint.Body(contents: [("application/json", "PutBack")]),
      answers: [Answer(status: 202, meaning: "It will be given them.", contents: json("PutBackDone"))]
        + refusals((404, "No such queue, or no such sink."), (413, "The body is too large.")), handle: QueueHandlers.putBack),
  ]

  // MARK: About the server

  private static let about = [
    Endpoint(
      id: "metrics", method: .get, path: "/metrics", access: .scoped(.read), summary: "Metrics in Prometheus' text format.",
      answers: [Answer(status: 200, meaning: "The metrics.", contents: [("text/plain; version=0.0.4; charset=utf-8", "Lines")])]
        + refusals(),
      handle: MetricsHandler.respond),
    Endpoint(
      id: "healthz", method: .get, path: "/healthz", access: .open, summary: "Whether the process answers.",
      answers: healthAnswers, handle: Health.live),
    Endpoint(
      id: "readyz", method: .get, path: "/readyz", access: .open,
      summary: "Whether it does its work: what comes in gets to the disk, and sources run.",
      answers: healthAnswers, handle: Health.ready),
    Endpoint(
      id: "openapi", method: .get, path: "/openapi.json", access: .open, summary: "This document.",
      answers: [Answer(status: 200, meaning: "OpenAPI 3.1.", contents: json("OpenAPI"))] + refusals(),
      handle: { call in
        Response(
          status: .ok, headers: [.contentType: "application/json"],
          body: ResponseBody(byteBuffer: .init(string: OpenAPIDocument.text(of: all, version: call.server.version))))
      }),
    Endpoint(
      id: "index", method: .get, path: "/", access: .open, summary: "The status page for browsers; for others where to begin.",
      answers: [
        Answer(
          status: 200, meaning: "With Accept: text/html the status page, else a few lines of text.",
          contents: [("text/plain; charset=utf-8", "Lines"), ("text/html; charset=utf-8", "Page")])
      ] + refusals(),
      handle: { call in
        if call.request.headers.acceptsPages { return StatusPage.respond(call) }
        let text = """
          Sluice \(call.server.version)

          GET  /v1/queues                                          the queues
          GET  /v1/status                                          how they and their pipelines are; a browser shows it at /
          PUT  /v1/queues/{queue}/consumers/{name}                 make a consumer
          GET  /v1/queues/{queue}/records?consumer=NAME&wait=20s   pull
          GET  /v1/queues/{queue}/stream?offset=newest             follow
          POST /v1/queues/{queue}/records                          push
          GET  /openapi.json                                       all of it
          GET  /metrics, /healthz, /readyz

          """
        return Response(
          status: .ok, headers: [.contentType: "text/plain; charset=utf-8", .vary: "Accept"],
          body: ResponseBody(byteBuffer: .init(string: text)))
      }),
  ]

  private static var healthAnswers: [Answer] {
    [
      Answer(status: 200, meaning: "All is well.", contents: json("Health")),
      Answer(status: 503, meaning: "Something isn't.", contents: json("Health")),
    ]
      + refusals().filter { $0.status != 503 }
  }
}
