import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.CharArrayWriter;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.List;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.catalina.valves.AbstractAccessLogValve;

/**
 * Tomcat, on one port for each way to handle an encoded slash. Every response names the servlet that Tomcat chose for the
 * path, and the one of the path that java.net.URI makes of it. Arguments: a directory for Tomcat, a file for the request
 * lines, then name=prefix for each servlet, and encodedSolidusHandling[+backslash] for each port. Prints the ports.
 */
public class TomcatTerritories {
  private static final List<String[]> territories = new ArrayList<>();

  public static void main(String[] arguments) throws Exception {
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(arguments[0]);
    Context context = tomcat.addContext("", null);
    tomcat.getEngine().getPipeline().addValve(log(new FileOutputStream(arguments[1], true)));
    add(context, "none", "/");
    List<Connector> connectors = new ArrayList<>();
    for (int index = 2; index < arguments.length; index++) {
      String[] territory = arguments[index].split("=", 2);
      if (territory.length == 2) {
        territories.add(territory);
        add(context, territory[0], territory[1] + "/*");
      } else {
        connectors.add(connector(arguments[index]));
        tomcat.getService().addConnector(connectors.get(connectors.size() - 1));
      }
    }
    tomcat.start();
    StringBuilder ports = new StringBuilder("listening");
    for (Connector connector : connectors) ports.append(' ').append(connector.getLocalPort());
    System.out.println(ports);
    tomcat.getServer().await();
  }

  private static Connector connector(String handling) {
    Connector connector = new Connector();
    connector.setProperty("address", "127.0.0.1");
    connector.setProperty("maxKeepAliveRequests", "-1");
    connector.setPort(0);
    connector.setEncodedSolidusHandling(handling.replace("+backslash", ""));
    connector.setAllowBackslash(handling.endsWith("+backslash"));
    return connector;
  }

  private static void add(Context context, String territory, String pattern) {
    Tomcat.addServlet(context, territory, new HttpServlet() {
      @Override
      protected void doGet(HttpServletRequest request, HttpServletResponse response) {
        response.setHeader("X-Territory-Servlet", territory);
        response.setHeader("X-Territory-URI", territoryOf(request.getRequestURI()));
        response.setContentLength(0);
      }
    });
    context.addServletMappingDecoded(pattern, territory);
  }

  private static String territoryOf(String text) {
    try {
      String path = new URI(text).normalize().getPath();
      String found = "none";
      // The longest prefix comes last.
      for (String[] territory : territories) {
        if (path.equals(territory[1]) || path.startsWith(territory[1] + "/")) found = territory[0];
      }
      return found;
    } catch (URISyntaxException error) {
      return "error";
    }
  }

  private static AbstractAccessLogValve log(FileOutputStream file) {
    AbstractAccessLogValve valve = new AbstractAccessLogValve() {
      @Override
      protected synchronized void log(CharArrayWriter line) {
        try {
          file.write((line + "\n").getBytes("UTF-8"));
        } catch (IOException error) {
          throw new UncheckedIOException(error);
        }
      }
    };
    valve.setPattern("%r");
    return valve;
  }
}
