internal import Foundation
internal import HTTPTypes

/// The API's description for programs (OpenAPI 3.1), made from the list of operations.
enum OpenAPIDocument {
  static func text(of endpoints: [Endpoint], version: String) -> String {
    var paths: [String: [String: Any]] = [:]
    for endpoint in endpoints { paths[endpoint.path, default: [:]][endpoint.method.rawValue.lowercased()] = operation(endpoint) }
    let document: [String: Any] = [
      "openapi": "3.1.0",
      "info": [
        "title": "Sluice", "version": version, "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
        "description": "Queues of log records: pull at your own pace, push, look.",
      ],
      "servers": [["url": "/"]],
      "paths": paths,
      "components": [
        "schemas": Schemas.all,
        "securitySchemes": ["token": ["type": "http", "scheme": "bearer", "description": "A token of the server's token file."]],
      ],
    ]
    guard let data = try? JSONSerialization.data(withJSONObject: document, options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
    else {
      preconditionFailure("the document holds only what JSON has")
    }
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  private static func operation(_ endpoint: Endpoint) -> [String: Any] {
    var operation: [String: Any] = [
      "operationId": endpoint.id, "summary": endpoint.summary,
      "parameters": endpoint.variables.map(variable) + endpoint.parameters.map(parameter),
      "responses": Dictionary(uniqueKeysWithValues: endpoint.answers.map { ("\($0.status)", answer($0)) }),
    ]
    switch endpoint.access {
    case .open: break
    case .token: operation["security"] = [["token": [String]()], [:]]
    case .scoped(let scope):
      operation["security"] = [["token": [String]()], [:]]
      operation["description"] = "With tokens it takes the scope '\(scope.rawValue)'."
    }
    if let body = endpoint.body {
      operation["requestBody"] = ["required": body.isRequired, "content": content(body.contents)]
    }
    return operation
  }

  private static func variable(_ name: String) -> [String: Any] {
    let pattern =
      switch name {
      case "segment": "^[0-9]{20}\\.gz$"
      case "lease": "^[0-9a-f]{1,8}(-[0-9]{1,19}){3}-[0-9]{1,5}$|^d[0-9a-f]{1,8}-[0-9]{1,19}$"
      case "queue": "^[a-z0-9][a-z0-9._-]{0,77}$"
      default: "^[a-z0-9][a-z0-9._-]{0,63}$"
      }
    return ["name": name, "in": "path", "required": true, "schema": ["type": "string", "pattern": pattern]]
  }

  private static func parameter(_ parameter: Endpoint.Parameter) -> [String: Any] {
    let schema: [String: Any] =
      switch parameter.kind {
      case .text(let example): ["type": "string", "examples": [example]]
      case .pattern(let pattern, let example): ["type": "string", "pattern": pattern, "examples": [example]]
      case .integer(let range): ["type": "integer", "minimum": range.lowerBound, "maximum": range.upperBound]
      case .choice(let words): ["type": "string", "enum": words]
      }
    return ["name": parameter.name, "in": parameter.place.rawValue, "required": false, "description": parameter.meaning, "schema": schema]
  }

  private static func answer(_ answer: Endpoint.Answer) -> [String: Any] {
    var object: [String: Any] = ["description": answer.meaning]
    if !answer.contents.isEmpty { object["content"] = content(answer.contents) }
    if !answer.headers.isEmpty {
      object["headers"] = Dictionary(uniqueKeysWithValues: answer.headers.map { ($0, ["schema": ["type": "string"]]) })
    }
    return object
  }

  private static func content(_ contents: [(type: String, schema: String)]) -> [String: Any] {
    Dictionary(
      uniqueKeysWithValues: contents.map {
        (String($0.type.prefix { $0 != ";" }), ["schema": ["$ref": "#/components/schemas/\($0.schema)"]])
      })
  }
}

/// The document's schemas: the shapes of `Answers/Shapes.swift` and of the bodies that operations take.
private enum Schemas {
  static var all: [String: Any] {
    [
      "Lines": ["type": "string", "description": "Records, each ended by a line feed. Bytes: mostly UTF-8."],
      "StreamEvents": [
        "type": "string",
        "description":
          "Events, each one JSON object with a 'type': records {first, next, lag, lines}, gap {first, next, reason, records, bytes}, heartbeat {next, lag}, end {next, code, detail}, error {status, code, detail}.",
      ],
      "Bytes": ["type": "string", "format": "binary"],
      "Page": ["type": "string", "description": "An HTML document that loads nothing else."],
      "Events": ["type": "string", "description": "Server-Sent Events, each with one line of JSON as its data."],
      "Records": ["type": "array", "description": "Records: a JSON value as it is, anything else as a string.", "items": [String: Any]()],
      "OpenAPI": ["type": "object"],
      "Problem": object(
        ["type": string, "title": string, "status": integer, "detail": string, "code": string],
        optional: [
          "cursor": string, "delivered_end": string, "oldest": string, "lost_records": integer, "lost_bytes": integer, "reason": string,
          "first_time": string, "last_time": string, "appended_records": integer,
        ]),
      "Queue": object(
        [
          "name": string, "id": string, "epoch": integer, "start_offset": string, "durable_end": string, "records": integer,
          "bytes": integer,
          "lost_records": integer, "stored_bytes": integer, "max_size": integer, "segments": integer, "is_full": boolean,
          "consumers": array("Consumer"),
        ], optional: ["full_because_of": string, "seconds_until_full": number]),
      "QueueList": object(["queues": array("Queue")]),
      "Status": object(["version": string, "time": string, "started": string, "queues": array("QueueStatus")]),
      "QueueStatus": [
        "allOf": [
          ["$ref": "#/components/schemas/Queue"],
          object(
            [
              "in_flight_bytes": integer, "losses": list(["reason": string, "records": integer, "bytes": integer]),
              "newest_segments": list([
                "name": string, "first_offset": integer, "next_offset": integer, "stored_bytes": integer, "is_sealed": boolean,
              ]), "dead_letters": integer,
            ],
            optional: [
              "dead_letters_of": string, "records_per_second": number, "bytes_per_second": number, "fills_because_of": string,
              "disk_room": integer, "sources": array("Source"), "sinks": array("Sink"),
            ]),
        ]
      ],
      "Source": object(
        [
          "name": string, "type": string, "activity": ["type": "string", "enum": ["running", "backing_off", "ended", "failed"]],
          "records": integer, "bytes": integer, "records_per_second": number, "bytes_per_second": number, "lost_records": integer,
          "restarts": integer,
        ], optional: ["seconds_until_retry": number, "last_error": string, "files": ["$ref": "#/components/schemas/SourceFiles"]]),
      "SourceFiles": object([
        "count": integer,
        "newest": list(
          ["path": string, "position": integer, "quiet_seconds": number, "is_gone": boolean], optional: ["size": integer]),
      ]),
      "Sink": object(
        [
          "name": string, "type": string,
          "activity": [
            "type": "string",
            "enum": [
              "starting", "idle", "pacing", "outside_window", "delivering", "backing_off", "setting_aside", "ended", "refused",
            ],
          ], "delivered_records": integer, "delivered_bytes": integer, "records_per_second": number, "bytes_per_second": number,
          "gap_records": integer, "retries": integer, "commits": integer, "dead_letters": integer, "dropped_records": integer,
        ], optional: ["seconds_until_retry": number, "seconds_until_open": number, "last_error": string]),
      "Consumer": object(
        [
          "name": string, "kind": ["type": "string", "enum": ["pull", "sink"]], "mode": string, "cursor": string, "hold": string,
          "lag_records": integer, "lag_bytes": integer, "pinned_bytes": integer, "lost_records": integer, "lost_bytes": integer,
          "silent_seconds": number,
        ],
        optional: [
          "seconds_until_loss": number, "failure": string, "records_per_second": number, "bytes_per_second": number,
          "lag_bytes_per_second": number, "loss_cause": string,
          "leases": object(["on_loan": integer, "waiting": integer, "acknowledged_ahead": integer, "max_deliveries": integer]),
        ]),
      "ConsumerList": object(["consumers": array("Consumer")]),
      "ConsumerWish": object(
        [:],
        optional: [
          "start_at": place, "mode": ["type": "string", "enum": ["cursor", "lease"]], "hold": hold,
          "max_deliveries": ["type": "integer", "minimum": 0, "maximum": 1000],
        ],
        isClosed: true),
      "Lease": object(["lease": string, "cursor": string]),
      "Commit": object(["offset": pattern(offset)], isClosed: true),
      "Seek": object(["to": place], isClosed: true),
      "Pushed": object(["first": string, "next": string, "records": integer, "bytes": integer, "replayed": boolean]),
      "Segment": object(
        ["name": string, "first_offset": integer, "next_offset": integer, "stored_bytes": integer, "url": string],
        optional: ["created": string]),
      "SegmentList": object(["segments": array("Segment")]),
      "DeadLetters": object(
        [
          "queue": string, "records": integer,
          "sinks": ["type": "array", "items": object(["sink": string, "records": integer, "pending": integer])],
        ]),
      "PutBack": object(["sink": string], isClosed: true),
      "PutBackDone": object(["sink": string, "records": integer]),
      "Health": object(
        [
          "status": ["type": "string", "enum": ["ok", "failing"]],
          "checks": ["type": "array", "items": object(["name": string, "ok": boolean], optional: ["detail": string])],
        ]),
    ]
  }

  private static var string: [String: Any] { ["type": "string"] }
  private static func pattern(_ text: String) -> [String: Any] { ["type": "string", "pattern": "^(\(text))$"] }
  private static var offset: String { "(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,17})" }
  /// The words, an offset, or a time; of times it describes those that every clock shows.
  private static var place: [String: Any] {
    let time = "(19[7-9]|20[0-9])[0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z"
    return pattern("oldest|newest|\(offset)|\(time)")
  }
  private static var hold: [String: Any] {
    pattern("all|[1-9][0-9]{0,2}(KiB|MiB|GiB)|[1-9][0-9]?%|100%|[1-9][0-9]{0,2}(s|m|h|d)")
  }
  private static var integer: [String: Any] { ["type": "integer"] }
  private static var number: [String: Any] { ["type": "number"] }
  private static var boolean: [String: Any] { ["type": "boolean"] }
  private static func array(_ schema: String) -> [String: Any] { ["type": "array", "items": ["$ref": "#/components/schemas/\(schema)"]] }

  private static func list(_ required: [String: [String: Any]], optional: [String: [String: Any]] = [:]) -> [String: Any] {
    ["type": "array", "items": object(required, optional: optional)]
  }

  private static func object(_ required: [String: [String: Any]], optional: [String: [String: Any]] = [:], isClosed: Bool = false)
    -> [String: Any]
  {
    var object: [String: Any] = ["type": "object", "properties": required.merging(optional) { first, _ in first }]
    if !required.isEmpty { object["required"] = required.keys.sorted() }
    if isClosed { object["additionalProperties"] = false }
    return object
  }
}
