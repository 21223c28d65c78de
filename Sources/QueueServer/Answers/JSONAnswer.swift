internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Bodies of JSON, in and out.
enum JSONAnswer {
  /// A 200 (or `status`) with `value` as its body.
  static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
    Response(status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: encode(value)))
  }

  static func encode(_ value: some Encodable) -> ByteBuffer {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      var data = try encoder.encode(value)
      data.append(0x0A)
      return ByteBuffer(bytes: data)
    } catch {
      preconditionFailure("a shape of the API can't be encoded: \(error)")
    }
  }

  /// A request's body as `Value`; an absent one is `{}`.
  static func decode<Value: Decodable>(_ type: Value.Type, from body: ByteBuffer) throws -> Value {
    let decoder = JSONDecoder()
    do {
      return try decoder.decode(type, from: body.readableBytes == 0 ? Data("{}".utf8) : Data(body.readableBytesView))
    } catch let DecodingError.keyNotFound(key, _) {
      throw Problem.badBody("the body lacks '\(key.stringValue)'")
    } catch let DecodingError.typeMismatch(_, context), let DecodingError.valueNotFound(_, context) {
      throw Problem.badBody("the body's '\(context.codingPath.map(\.stringValue).joined(separator: "."))' is not what it should be")
    } catch let problem as Problem {
      throw problem
    } catch {
      throw Problem.badBody("the body is no JSON object; /openapi.json has its schema")
    }
  }
}

/// Refuses keys that a body doesn't know: a misspelt one would be a wish that nobody grants.
struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }

  static func refuseOthers(than known: [String], in decoder: any Decoder) throws {
    let container: KeyedDecodingContainer<AnyKey>
    do { container = try decoder.container(keyedBy: AnyKey.self) } catch { throw Problem.badBody("expected a JSON object") }
    if let other = container.allKeys.map(\.stringValue).filter({ !known.contains($0) }).min() {
      throw Problem.badBody("unknown member '\(other.prefix(64))'; known are \(known.joined(separator: ", "))")
    }
  }
}
