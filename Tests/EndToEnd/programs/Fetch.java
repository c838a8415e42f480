import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;

/** Sends GET url, then POST url with a body of known length, then one in chunks; prints status and body of each. */
public class Fetch {
  public static void main(String[] arguments) throws Exception {
    URL url = new URL(arguments[0]);
    byte[] body = arguments[1].getBytes("UTF-8");
    print("GET", (HttpURLConnection) url.openConnection());

    HttpURLConnection post = (HttpURLConnection) url.openConnection();
    post.setDoOutput(true);
    post.setFixedLengthStreamingMode(body.length);
    write(post, body);
    print("POST", post);

    HttpURLConnection chunked = (HttpURLConnection) url.openConnection();
    chunked.setDoOutput(true);
    chunked.setChunkedStreamingMode(16);
    write(chunked, body);
    print("POST in chunks", chunked);
  }

  private static void write(HttpURLConnection connection, byte[] body) throws Exception {
    try (OutputStream output = connection.getOutputStream()) {
      output.write(body);
    }
  }

  private static void print(String what, HttpURLConnection connection) throws Exception {
    int status = connection.getResponseCode();
    try (InputStream input = connection.getInputStream()) {
      System.out.println(what + " " + status + " " + new String(input.readAllBytes(), "UTF-8"));
    }
  }
}
