import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.GZIPInputStream;

/** Pulls a batch as a Java program does, and prints the SHA-256 of its lines: java Pull.java URL gzip|identity */
public class Pull {
  public static void main(String[] arguments) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0])).header("Accept-Encoding", arguments[1]).build();
    HttpResponse<InputStream> response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofInputStream());
    boolean isGzip = response.headers().firstValue("Content-Encoding").orElse("").equals("gzip");
    if (response.statusCode() != 200 || isGzip != arguments[1].equals("gzip")) {
      throw new IllegalStateException(response.statusCode() + " " + response.headers());
    }
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    try (InputStream body = isGzip ? new GZIPInputStream(response.body()) : response.body()) {
      byte[] piece = new byte[8192];
      for (int count; (count = body.read(piece)) > 0; ) digest.update(piece, 0, count);
    }
    System.out.println(HexFormat.of().formatHex(digest.digest()));
  }
}
