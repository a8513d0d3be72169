import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;

/** Transactions by commands from stdin, one a line; a line with the outcome for each. */
public class Transactions {
    private static KafkaProducer<String, String> open(String bootstrap, String id, int timeout) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("transactional.id", id);
        p.put("transaction.timeout.ms", timeout);
        p.put("delivery.timeout.ms", 20000);
        p.put("request.timeout.ms", 10000);
        return new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
    }

    private static void run(KafkaProducer<String, String> p, String[] w) throws Exception {
        switch (w[0]) {
            case "init" -> p.initTransactions();
            case "begin" -> p.beginTransaction();
            case "send" -> p.send(new ProducerRecord<>(w[2], Integer.parseInt(w[3]), null, w[4])).get();
            case "offset" -> {
                Map<TopicPartition, OffsetAndMetadata> o = new HashMap<>();
                o.put(new TopicPartition(w[3], Integer.parseInt(w[4])), new OffsetAndMetadata(Long.parseLong(w[5])));
                p.sendOffsetsToTransaction(o, new ConsumerGroupMetadata(w[2]));
            }
            case "commit" -> p.commitTransaction();
            case "abort" -> p.abortTransaction();
            default -> throw new IllegalArgumentException(w[0]);
        }
    }

    public static void main(String[] args) throws Exception {
        Map<String, KafkaProducer<String, String>> all = new HashMap<>();
        var in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String[] w = line.split(" ");
            try {
                if (w[0].equals("open")) { // open NAME TRANSACTIONAL-ID TIMEOUT-MS
                    all.put(w[1], open(args[0], w[2], Integer.parseInt(w[3])));
                } else if (w[0].equals("sleep")) {
                    Thread.sleep(Long.parseLong(w[1]));
                } else {
                    run(all.get(w[1]), w);
                }
                System.out.println("ok");
            } catch (Exception e) {
                Throwable cause = e instanceof java.util.concurrent.ExecutionException ? e.getCause() : e;
                System.out.println(cause.getClass().getSimpleName());
                System.err.println(line + ": " + cause);
            }
        }
        System.exit(0);
    }
}
