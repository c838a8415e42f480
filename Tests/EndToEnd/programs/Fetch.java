import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

/**
 * Gets each URL behind the first argument, posts that to it with a length, and then in chunks: with HttpURLConnection,
 * and with HttpClient. Prints status and content of each answer. How they go is a matter of system properties.
 */
public class Fetch {
  public static void main(String[] arguments) throws Exception {
    byte[] text = arguments[0].getBytes("UTF-8");
    HttpClient client = HttpClient.newHttpClient();
    for (int index = 1; index < arguments.length; index++) {
      byConnection(new URL(arguments[index]), text);
      byClient(client, HttpRequest.newBuilder(new URI(arguments[index])), text);
    }
  }

  private static void byConnection(URL url, byte[] text) throws Exception {
    print("GET", (HttpURLConnection) url.openConnection());

    HttpURLConnection post = (HttpURLConnection) url.openConnection();
    post.setDoOutput(true);
    post.setFixedLengthStreamingMode(text.length);
    write(post, text);
    print("POST", post);

    HttpURLConnection chunked = (HttpURLConnection) url.openConnection();
    chunked.setDoOutput(true);
    chunked.setChunkedStreamingMode(16);
    write(chunked, text);
    print("POST in chunks", chunked);
  }

  private static void write(HttpURLConnection connection, byte[] text) throws Exception {
    try (OutputStream output = connection.getOutputStream()) {
      output.write(text);
    }
  }

  private static void print(String what, HttpURLConnection connection) throws Exception {
    int status = connection.getResponseCode();
    try (InputStream input = connection.getInputStream()) {
      System.out.println(what + " " + status + " " + new String(input.readAllBytes(), "UTF-8"));
    }
  }

  private static void byClient(HttpClient client, HttpRequest.Builder request, byte[] text) throws Exception {
    print("GET", client, request.GET());
    print("POST", client, request.POST(BodyPublishers.ofByteArray(text)));
    print("POST in chunks", client,
        request.POST(BodyPublishers.fromPublisher(BodyPublishers.ofByteArray(text))));
  }

  private static void print(String what, HttpClient client, HttpRequest.Builder request) throws Exception {
    var answer = client.send(request.build(), BodyHandlers.ofString());
    System.out.println(what + " " + answer.statusCode() + " " + answer.body());
  }
}
