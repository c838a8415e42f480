import java.io.InputStream;
import java.io.OutputStream;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.PasswordAuthentication;
import java.net.URL;

/** Sends GET url twice and POST url once, and gives user and password to the proxy when it gets a 407. */
public class FetchAsUser {
  public static void main(String[] arguments) throws Exception {
    URL url = new URL(arguments[0]);
    Authenticator.setDefault(new Authenticator() {
      @Override
      protected PasswordAuthentication getPasswordAuthentication() {
        System.out.println("asked by " + getRequestorType() + " for " + getRequestingPrompt());
        return new PasswordAuthentication(arguments[1], arguments[2].toCharArray());
      }
    });
    print("GET", (HttpURLConnection) url.openConnection());
    print("GET", (HttpURLConnection) url.openConnection());

    HttpURLConnection post = (HttpURLConnection) url.openConnection();
    post.setDoOutput(true);
    try (OutputStream output = post.getOutputStream()) {
      output.write("some content".getBytes("UTF-8"));
    }
    print("POST", post);
  }

  private static void print(String what, HttpURLConnection connection) throws Exception {
    int status = connection.getResponseCode();
    if (status >= 400) {
      System.out.println(what + " " + status);
      return;
    }
    try (InputStream input = connection.getInputStream()) {
      System.out.println(what + " " + status + " " + new String(input.readAllBytes(), "UTF-8"));
    }
  }
}
