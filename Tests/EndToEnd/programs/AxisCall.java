import org.apache.axis.client.Call;
import org.apache.axis.message.SOAPEnvelope;
import org.apache.axis.message.SOAPBodyElement;
import javax.xml.namespace.QName;

/** Calls an operation of a SOAP service with Apache Axis 1.4, and prints the text of the response. */
public class AxisCall {
  public static void main(String[] arguments) throws Exception {
    for (String url : arguments) {
      Call call = new Call(url);
      call.setSOAPActionURI("urn:do");
      SOAPEnvelope envelope = new SOAPEnvelope();
      envelope.addBodyElement(new SOAPBodyElement(new QName("urn:test", "order")));
      System.out.println(call.invoke(envelope).getFirstBody().getAsDOM().getTextContent());
    }
  }
}
