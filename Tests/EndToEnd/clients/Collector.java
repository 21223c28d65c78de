import com.sun.net.httpserver.HttpServer;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.zip.GZIPInputStream;

/** Takes gzip bodies as the JDK's own server does, and appends their lines to a file; prints its port: java Collector.java FILE */
public class Collector {
  public static void main(String[] arguments) throws Exception {
    OutputStream output = new FileOutputStream(arguments[0]);
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16);
    server.createContext("/logs", exchange -> {
      int status = "gzip".equals(exchange.getRequestHeaders().getFirst("Content-Encoding")) ? 200 : 415;
      if (status == 200) {
        try (InputStream body = new GZIPInputStream(exchange.getRequestBody())) {
          body.transferTo(output);
        }
        output.flush();
      }
      exchange.sendResponseHeaders(status, -1);
      exchange.close();
    });
    server.start();
    System.out.println(server.getAddress().getPort());
  }
}
