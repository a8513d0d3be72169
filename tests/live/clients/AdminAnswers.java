// AdminAnswers.java - asks a broker what Kafka's Admin client can ask, mistakes included, and prints each answer in
// a line: results, or the error's class and text. The same program printed tests/data/admin-answers.txt from
// Apache Kafka 4.1. Usage: java -cp KAFKA-JARS AdminAnswers.java HOST:PORT
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.ConfigResource.Type;

public final class AdminAnswers {
    static Admin admin;

    static void line(String what, String answer) {
        System.out.println(what + " => " + answer.replace("\n", "\\n"));
    }

    static void ask(String what, Callable<Object> call) {
        try {
            line(what, String.valueOf(call.call()));
        } catch (ExecutionException e) {
            line(what, e.getCause().getClass().getSimpleName() + ": " + e.getCause().getMessage());
        } catch (Exception e) {
            line(what, "! " + e.getClass().getSimpleName() + ": " + e.getMessage());
        }
    }

    static String shown(Config c, boolean all) {
        List<String> out = new ArrayList<>();
        for (ConfigEntry e : new TreeMap<String, ConfigEntry>() {
            {
                c.entries().forEach(x -> put(x.name(), x));
            }
        }.values())
            if (all || e.source() != ConfigEntry.ConfigSource.DEFAULT_CONFIG)
                out.add(e.name() + "=" + e.value() + " " + e.source() + " " + e.type() + (e.isReadOnly() ? " read-only" : "")
                        + (e.isSensitive() ? " sensitive" : "") + " " + e.synonyms());
        return String.join("; ", out);
    }

    // --- topics

    static void create(NewTopic t, boolean validateOnly) {
        String name = t.name().length() > 60 ? t.name().substring(0, 10) + "..." : t.name();
        ask("create " + name + " " + t.numPartitions() + " " + t.replicationFactor() + " " + t.replicasAssignments() + " " + t.configs()
                + (validateOnly ? " validate" : ""), () -> {
            CreateTopicsResult r = admin.createTopics(List.of(t), new CreateTopicsOptions().validateOnly(validateOnly));
            r.all().get();
            return "partitions " + r.numPartitions(t.name()).get() + " factor " + r.replicationFactor(t.name()).get() + " id "
                    + (r.topicId(t.name()).get().equals(Uuid.ZERO_UUID) ? "zero" : "some") + " " + shown(r.config(t.name()).get(), false);
        });
    }

    static NewTopic topic(String name, String... configs) {
        Map<String, String> m = new LinkedHashMap<>();
        for (int i = 0; i < configs.length; i += 2)
            m.put(configs[i], configs[i + 1]);
        return new NewTopic(name, 1, (short) 1).configs(m);
    }

    static NewTopic assigned(String name, Object... pairs) {
        Map<Integer, List<Integer>> m = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2)
            m.put((Integer) pairs[i], (List<Integer>) pairs[i + 1]);
        return new NewTopic(name, m);
    }

    static void topics() {
        create(topic("plain"), false);
        create(topic("plain"), false);
        create(topic("plain"), true);
        create(new NewTopic("defaults", Optional.empty(), Optional.empty()), false);
        create(new NewTopic("many", 3, (short) 1), true);
        create(new NewTopic("zero", 0, (short) 1), false);
        create(new NewTopic("less", -2, (short) 1), false);
        create(new NewTopic("nofactor", 1, (short) 0), false);
        create(new NewTopic("lessfactor", 1, (short) -2), false);
        create(new NewTopic("three", 1, (short) 3), false);
        for (String name : List.of("", ".", "..", "a b", "x".repeat(250), "x".repeat(249), "__cluster_metadata", "ünï"))
            create(topic(name), true);
        create(topic("a.b"), false);
        create(topic("a_b"), false);
        create(assigned("as0", 0, List.of(1)), false);
        create(assigned("as1", 0, List.of(1), 2, List.of(1)), false);
        create(assigned("as2", 0, List.of(2)), false);
        create(assigned("as3", 0, List.of()), false);
        create(assigned("as4", 0, List.of(1, 1)), false);
        create(assigned("as5", 1, List.of(1)), false);
        create(assigned("as6", 0, List.of(1), 1, List.of(1, 2)), false);
        create(topic("nullvalue", "retention.ms", null), false);
        for (String[] c : BAD_TOPIC_CONFIGS)
            create(topic("c", c), true);
        for (String[] c : GOOD_TOPIC_CONFIGS)
            create(topic("c", c), true);
        for (Object[] p : new Object[][] {{"nosuch", 3, null}, {"plain", 1, null}, {"plain", 0, null}, {"plain", -1, null}, {"plain", 2, List.of(List.of(1), List.of(1))},
                {"plain", 2, List.of(List.of(7))}, {"plain", 2, List.of(List.of())}, {"plain", 2, List.of(List.of(1, 1))}, {"plain", 3, List.of(List.of(1))},
                {"plain", 2, List.of(List.of(1))}, {"bad name", 2, null}})
            for (boolean validate : new boolean[] {true, false})
                ask("partitions " + p[0] + " " + p[1] + " " + p[2] + (validate ? " validate" : ""), () -> admin.createPartitions(
                        Map.of((String) p[0], p[2] == null ? NewPartitions.increaseTo((int) p[1]) : NewPartitions.increaseTo((int) p[1], (List<List<Integer>>) p[2])),
                        new CreatePartitionsOptions().validateOnly(validate)).all().get());
        ask("delete nosuch", () -> admin.deleteTopics(List.of("nosuch")).all().get());
        ask("delete bad name", () -> admin.deleteTopics(List.of("bad name")).all().get());
        ask("delete empty", () -> admin.deleteTopics(List.of("")).all().get());
        ask("delete unknown id", () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(new Uuid(5, 6)))).all().get());
        ask("delete defaults", () -> admin.deleteTopics(List.of("defaults")).all().get());
        ask("describe nosuch", () -> admin.describeTopics(List.of("nosuch")).allTopicNames().get());
        ask("describe bad name", () -> admin.describeTopics(List.of("bad name")).allTopicNames().get());
        ask("describe operations", () -> admin.describeTopics(List.of("plain"), new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames().get()
                .get("plain").authorizedOperations().stream().map(Object::toString).sorted().toList());
        ask("describe unknown id", () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(new Uuid(5, 6)))).allTopicIds().get());
    }

    static final String[][] BAD_TOPIC_CONFIGS = {{"nosuch", "1"}, {"cleanup.policy", ""}, {"cleanup.policy", "compact,compact"}, {"cleanup.policy", "none"},
        {"cleanup.policy", "compact,,delete"}, {"compression.type", "zip"}, {"compression.gzip.level", "0"}, {"compression.gzip.level", "10"}, {"compression.lz4.level", "0"},
        {"compression.lz4.level", "18"}, {"compression.zstd.level", "23"}, {"delete.retention.ms", "-1"}, {"file.delete.delay.ms", "x"}, {"flush.messages", "0"},
        {"flush.ms", "-1"}, {"follower.replication.throttled.replicas", "x"}, {"index.interval.bytes", "-1"}, {"leader.replication.throttled.replicas", "1-1"},
        {"local.retention.bytes", "-3"}, {"local.retention.ms", "-3"}, {"max.compaction.lag.ms", "0"}, {"max.message.bytes", "-1"}, {"max.message.bytes", "99999999999"},
        {"message.timestamp.after.max.ms", "-1"}, {"message.timestamp.before.max.ms", "1.5"}, {"message.timestamp.type", "createtime"}, {"min.cleanable.dirty.ratio", "2"},
        {"min.cleanable.dirty.ratio", "-0.1"}, {"min.cleanable.dirty.ratio", "half"}, {"min.compaction.lag.ms", "-1"}, {"min.insync.replicas", "0"}, {"preallocate", "maybe"},
        {"preallocate", ""}, {"remote.log.copy.disable", "true"}, {"remote.log.delete.on.disable", "true"}, {"remote.storage.enable", "true"}, {"retention.bytes", ""}, {"retention.ms", "-2"},
        {"segment.bytes", "100"}, {"segment.bytes", "-1"}, {"segment.index.bytes", "3"}, {"segment.jitter.ms", "-1"}, {"segment.ms", "0"},
        {"unclean.leader.election.enable", "1"}, {"min.compaction.lag.ms", "10", "max.compaction.lag.ms", "5"}, {"local.retention.ms", "10", "retention.ms", "5"},
        {"local.retention.bytes", "10", "retention.bytes", "5"}, {"retention.ms", " 5 x"}, {"Retention.ms", "5"}};
    static final String[][] GOOD_TOPIC_CONFIGS = {{"retention.ms", " 60000 "}, {"cleanup.policy", "compact, delete"}, {"preallocate", "TRUE"}, {"min.cleanable.dirty.ratio", "1e-1"},
        {"retention.ms", "+5"}, {"retention.ms", "-1"}, {"retention.bytes", "-5"}, {"leader.replication.throttled.replicas", "*"}, {"leader.replication.throttled.replicas", "0:1,1:1"},
        {"leader.replication.throttled.replicas", "none"}, {"retention.ms", "9223372036854775807"}, {"compression.type", "gzip", "compression.gzip.level", "9"}, {"min.insync.replicas", "2"}};

    // --- configurations

    static void alter(ConfigResource r, boolean validateOnly, Object... ops) {
        List<AlterConfigOp> list = new ArrayList<>();
        List<String> text = new ArrayList<>();
        for (int i = 0; i < ops.length; i += 3) {
            list.add(new AlterConfigOp(new ConfigEntry((String) ops[i + 1], (String) ops[i + 2]), (OpType) ops[i]));
            text.add(ops[i] + " " + ops[i + 1] + "=" + ops[i + 2]);
        }
        ask("alter " + r.type() + " '" + r.name() + "' " + text + (validateOnly ? " validate" : ""),
                () -> admin.incrementalAlterConfigs(Map.of(r, list), new AlterConfigsOptions().validateOnly(validateOnly)).all().get());
    }

    static void show(ConfigResource r, boolean all) {
        ask("configs " + r.type() + " '" + r.name() + "'", () -> shown(
                admin.describeConfigs(List.of(r), new DescribeConfigsOptions().includeSynonyms(true)).all().get().get(r), all));
    }

    static void configs() {
        ConfigResource t = new ConfigResource(Type.TOPIC, "plain"), b = new ConfigResource(Type.BROKER, "1"), d = new ConfigResource(Type.BROKER, "");
        for (String[] c : BAD_TOPIC_CONFIGS)
            if (c.length == 2)
                alter(t, false, OpType.SET, c[0], c[1]);
        alter(t, false, OpType.SET, "retention.ms", "5", OpType.SET, "nosuch", "1");
        show(t, false);
        alter(t, true, OpType.SET, "retention.ms", "5");
        show(t, false);
        alter(t, false, OpType.SET, "retention.ms", null);
        alter(t, false, OpType.SET, "retention.ms", "5", OpType.SET, "retention.ms", "6");
        alter(t, false, OpType.DELETE, "retention.ms", null);
        alter(t, false, OpType.DELETE, "nosuch", null);
        alter(t, false, OpType.APPEND, "retention.ms", "5");
        alter(t, false, OpType.SUBTRACT, "retention.ms", "5");
        alter(t, false, OpType.APPEND, "nosuch", "5");
        alter(t, false, OpType.APPEND, "cleanup.policy", "compact");
        show(t, false);
        alter(t, false, OpType.APPEND, "cleanup.policy", "compact");
        show(t, false);
        alter(t, false, OpType.APPEND, "cleanup.policy", "burn");
        alter(t, false, OpType.SUBTRACT, "cleanup.policy", "delete");
        show(t, false);
        alter(t, false, OpType.SUBTRACT, "cleanup.policy", "nosuch");
        alter(t, false, OpType.SUBTRACT, "cleanup.policy", "compact");
        show(t, false);
        alter(t, false, OpType.SET, "leader.replication.throttled.replicas", "0:1,1:1");
        alter(t, false, OpType.APPEND, "leader.replication.throttled.replicas", "1:1,2:1");
        show(t, false);
        alter(t, false, OpType.DELETE, "leader.replication.throttled.replicas", "", OpType.DELETE, "cleanup.policy", "");
        alter(new ConfigResource(Type.TOPIC, "nosuch"), false, OpType.SET, "retention.ms", "5");
        alter(new ConfigResource(Type.TOPIC, "bad name"), false, OpType.SET, "retention.ms", "5");
        alter(new ConfigResource(Type.TOPIC, ""), false, OpType.SET, "retention.ms", "5");
        show(new ConfigResource(Type.TOPIC, "nosuch"), false);
        show(new ConfigResource(Type.TOPIC, "bad name"), false);
        show(new ConfigResource(Type.TOPIC, ""), false);

        show(b, false);
        show(d, false);
        for (String name : List.of("7", "x", "-1"))
            show(new ConfigResource(Type.BROKER, name), false);
        for (String name : List.of("7", "x"))
            alter(new ConfigResource(Type.BROKER, name), false, OpType.SET, "log.cleaner.threads", "2");
        for (ConfigResource r : List.of(b, d)) {
            for (String[] c : new String[][] {{"log.cleaner.threads", "0"}, {"log.cleaner.threads", "many"}, {"log.cleaner.threads", "1000"}, {"num.io.threads", "0"}, {"num.io.threads", "100"},
                    {"log.dirs", "/x"}, {"node.id", "3"}, {"nosuch", "1"}, {"log.retention.ms", "-5"}, {"log.retention.ms", "1"}, {"log.retention.hours", "1"}, {"log.cleanup.policy", "burn"}, {"log.cleanup.policy", ""},
                    {"max.connections", "-1"}, {"compression.type", "zip"}, {"message.max.bytes", "-1"}, {"log.segment.bytes", "1"}, {"background.threads", "x"},
                    {"min.insync.replicas", "0"}, {"unclean.leader.election.enable", "maybe"}, {"log.message.timestamp.type", "x"}, {"listeners", "x"},
                    {"ssl.keystore.type", "PKCS12"}, {"ssl.keystore.password", "secret"}, {"sasl.enabled.mechanisms", "PLAIN"}, {"advertised.listeners", "PLAINTEXT://x:1"}, {"leader.replication.throttled.rate", "100"},
                    {"metric.reporters", ""}, {"num.replica.fetchers", "0"}, {"producer.id.expiration.ms", "0"}, {"remote.log.manager.copier.thread.pool.size", "5"}, {"group.consumer.session.timeout.ms", "50000"},
                    {"auto.create.topics.enable", "false"}, {"controller.quorum.voters", "1@x:1"}, {"log.flush.interval.ms", "5"}, {"log.roll.ms", "0"}, {"log.index.size.max.bytes", "1"}, {"log.cleaner.min.cleanable.ratio", "2"}, {"max.connections.per.ip.overrides", "x"}})
                alter(r, true, OpType.SET, c[0], c[1]);
            alter(r, true, OpType.SET, "log.cleaner.threads", null);
            alter(r, true, OpType.DELETE, "log.cleaner.threads", null);
            alter(r, true, OpType.DELETE, "min.insync.replicas", null);
            alter(r, true, OpType.SET, "min.insync.replicas", "1");
            alter(r, true, OpType.APPEND, "log.cleaner.threads", "2");
            alter(r, true, OpType.APPEND, "log.cleanup.policy", "compact");
            alter(r, true, OpType.SET, "log.cleaner.threads", "2", OpType.SET, "log.cleaner.threads", "2");
            alter(r, true, OpType.SET, "log.cleaner.threads", "2", OpType.SET, "log.dirs", "/x", OpType.SET, "node.id", "2");
        }
        alter(d, false, OpType.SET, "log.retention.ms", "70000");
        alter(b, false, OpType.SET, "log.retention.ms", "80000", OpType.SET, "log.cleanup.policy", "compact");
        alter(b, false, OpType.SET, "nosuch.config", "1");
        alter(b, false, OpType.SET, "max.connections.per.ip", "99", OpType.SET, "compression.type", "lz4");
        show(t, false);
        show(b, false);
        show(d, false);
        alter(d, false, OpType.DELETE, "log.retention.ms", null);
        alter(b, false, OpType.DELETE, "log.retention.ms", null, OpType.DELETE, "log.cleanup.policy", null, OpType.DELETE, "nosuch.config", null, OpType.DELETE, "max.connections.per.ip", null,
                OpType.DELETE, "compression.type", null);
        show(t, false);
        show(b, true);

        ConfigResource l = new ConfigResource(Type.BROKER_LOGGER, "1");
        alter(l, false, OpType.SET, "root", "WARN");
        alter(l, false, OpType.SET, "root", "LOUD");
        alter(l, false, OpType.SET, "no.such.logger", "INFO");
        alter(l, false, OpType.APPEND, "root", "INFO");
        alter(l, false, OpType.DELETE, "root", null);
        alter(l, false, OpType.SET, "root", "INFO");
        alter(new ConfigResource(Type.BROKER_LOGGER, ""), false, OpType.SET, "root", "INFO");
        alter(new ConfigResource(Type.BROKER_LOGGER, "7"), false, OpType.SET, "root", "INFO");
        show(new ConfigResource(Type.BROKER_LOGGER, ""), false);
        show(new ConfigResource(Type.BROKER_LOGGER, "7"), false);

        ConfigResource m = new ConfigResource(Type.CLIENT_METRICS, "basic");
        show(m, true);
        alter(m, false, OpType.SET, "interval.ms", "x");
        alter(m, false, OpType.SET, "interval.ms", "5");
        alter(m, false, OpType.SET, "nosuch", "5");
        alter(m, false, OpType.SET, "match", "nosuch=x");
        alter(m, false, OpType.SET, "match", "client_id=[");
        alter(m, false, OpType.SET, "interval.ms", "30000", OpType.SET, "metrics", "org.apache.kafka.producer.", OpType.SET, "match", "client_id=app.*");
        show(m, true);
        ask("list client metrics", () -> names(admin.listConfigResources(Set.of(Type.CLIENT_METRICS), new ListConfigResourcesOptions()).all().get()));
        alter(m, false, OpType.DELETE, "interval.ms", null, OpType.DELETE, "metrics", null, OpType.DELETE, "match", null);
        show(m, true);
        alter(new ConfigResource(Type.CLIENT_METRICS, ""), false, OpType.SET, "interval.ms", "30000");

        ConfigResource g = new ConfigResource(Type.GROUP, "some-group");
        show(g, true);
        alter(g, false, OpType.SET, "consumer.session.timeout.ms", "1");
        alter(g, false, OpType.SET, "consumer.session.timeout.ms", "100000");
        alter(g, false, OpType.SET, "consumer.session.timeout.ms", "x");
        alter(g, false, OpType.SET, "consumer.heartbeat.interval.ms", "1");
        alter(g, false, OpType.SET, "nosuch", "1");
        alter(g, false, OpType.SET, "share.auto.offset.reset", "never");
        alter(g, false, OpType.SET, "share.isolation.level", "x");
        alter(g, false, OpType.SET, "consumer.session.timeout.ms", "50000");
        show(g, true);
        ask("list groups", () -> names(admin.listConfigResources(Set.of(Type.GROUP), new ListConfigResourcesOptions()).all().get()));
        alter(g, false, OpType.DELETE, "consumer.session.timeout.ms", null);
        show(g, true);
        alter(new ConfigResource(Type.GROUP, ""), false, OpType.SET, "consumer.session.timeout.ms", "50000");
        show(new ConfigResource(Type.GROUP, ""), true);
        ask("list brokers", () -> names(admin.listConfigResources(Set.of(Type.BROKER, Type.BROKER_LOGGER), new ListConfigResourcesOptions()).all().get()));
        ask("list topics", () -> names(admin.listConfigResources(Set.of(Type.TOPIC), new ListConfigResourcesOptions()).all().get()).contains("TOPIC plain"));
        ask("list all", () -> admin.listConfigResources().all().get().stream().map(r -> r.type().toString()).sorted().distinct().toList());
        alter(new ConfigResource(Type.UNKNOWN, "x"), false, OpType.SET, "a", "1");
        show(new ConfigResource(Type.UNKNOWN, "x"), true);
    }

    static List<String> names(Collection<ConfigResource> c) {
        return c.stream().map(r -> r.type() + " " + r.name()).sorted().toList();
    }

    // --- the cluster

    static void cluster() {
        TopicPartition p = new TopicPartition("plain", 0), far = new TopicPartition("plain", 77), none = new TopicPartition("nosuch", 0);
        for (ElectionType type : ElectionType.values()) {
            ask("elect " + type + " named", () -> sorted(admin.electLeaders(type, new HashSet<>(List.of(p, far, none))).partitions().get()));
            ask("elect " + type + " all", () -> sorted(admin.electLeaders(type, null).partitions().get()));
        }
        Map<String, Optional<NewPartitionReassignment>> moves = new LinkedHashMap<>();
        moves.put("cancel", Optional.empty());
        for (List<Integer> v : List.of(List.of(1), List.of(2), List.of(1, 2), List.<Integer>of(1, 1), List.of(-1)))
            moves.put(v.toString(), Optional.of(new NewPartitionReassignment(v)));
        for (Map.Entry<String, Optional<NewPartitionReassignment>> m : moves.entrySet())
            for (TopicPartition to : List.of(p, far, none))
                ask("reassign " + to + " " + m.getKey(), () -> admin.alterPartitionReassignments(Map.of(to, m.getValue())).all().get());
        ask("reassignments", () -> admin.listPartitionReassignments().reassignments().get());
        ask("reassignments named", () -> admin.listPartitionReassignments(Set.of(p)).reassignments().get());
        ask("reassignments unknown", () -> admin.listPartitionReassignments(Set.of(none)).reassignments().get());
        ask("log dirs", () -> admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).values().stream().map(
                x -> x.error() + " " + x.replicaInfos().containsKey(p) + " " + x.replicaInfos().get(p).offsetLag() + " " + x.replicaInfos().get(p).isFuture()
                        + " " + (x.totalBytes().getAsLong() > 0) + " " + (x.usableBytes().getAsLong() > 0)).toList());
        String dir = null;
        try {
            dir = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).keySet().iterator().next();
        } catch (Exception e) {
            line("log dir", e.toString());
        }
        String own = dir;
        for (String[] c : new String[][] {{"own", own}, {"other", "/nosuch/dir"}, {"relative", "nosuch"}})
            for (TopicPartition to : List.of(p, far, none))
                ask("move " + to + " to " + c[0], () -> admin.alterReplicaLogDirs(
                        Map.of(new TopicPartitionReplica(to.topic(), to.partition(), 1), c[1])).all().get());
        ask("unregister 7", () -> admin.unregisterBroker(7).all().get());
        ask("unregister 1", () -> "not asked: it would");
        Map<String, FeatureUpdate> f = new LinkedHashMap<>();
        for (Object[] u : new Object[][] {{"metadata.version", 27, 1}, {"metadata.version", 28, 1}, {"metadata.version", 26, 1}, {"metadata.version", 26, 2}, {"metadata.version", 0, 3},
                {"nosuch", 1, 1}, {"group.version", 1, 1}, {"group.version", 2, 1}, {"transaction.version", 2, 1}, {"transaction.version", 3, 1}, {"kraft.version", 1, 1}, {"kraft.version", 0, 2},
                {"eligible.leader.replicas.version", 1, 1}, {"share.version", 2, 1}})
            for (boolean validate : new boolean[] {true, false})
                ask("feature " + u[0] + " " + u[1] + " type " + u[2] + (validate ? " validate" : ""), () -> admin.updateFeatures(
                        Map.of((String) u[0], new FeatureUpdate((short) (int) u[1], FeatureUpdate.UpgradeType.fromCode((int) u[2]))),
                        new UpdateFeaturesOptions().validateOnly(validate)).all().get());
        ask("features", () -> {
            FeatureMetadata m = admin.describeFeatures().featureMetadata().get();
            return new TreeMap<>(m.finalizedFeatures()) + " " + new TreeMap<>(m.supportedFeatures()) + " " + m.finalizedFeaturesEpoch().isPresent();
        });
        ask("token", () -> admin.createDelegationToken().delegationToken().get());
        ask("token renew", () -> admin.renewDelegationToken(new byte[] {1}).expiryTimestamp().get());
        ask("token expire", () -> admin.expireDelegationToken(new byte[] {1}).expiryTimestamp().get());
        ask("tokens", () -> admin.describeDelegationToken().delegationTokens().get());
        ask("cluster", () -> {
            DescribeClusterResult r = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true).includeFencedBrokers(true));
            return r.controller().get().id() + " " + r.nodes().get().size() + " " + r.authorizedOperations().get().stream().map(Object::toString).sorted().toList();
        });
        ask("quorum", () -> {
            QuorumInfo q = admin.describeMetadataQuorum().quorumInfo().get();
            return q.leaderId() + " " + q.leaderEpoch() + " " + q.voters().get(0).replicaId() + " " + q.voters().get(0).replicaDirectoryId() + " "
                    + (q.voters().get(0).logEndOffset() > 0) + " " + q.observers() + " " + q.nodes().keySet();
        });
        ask("producers", () -> admin.describeProducers(List.of(p)).all().get().get(p).activeProducers());
        for (long offset : new long[] {0, -1, 1, -2})
            ask("delete records " + offset, () -> admin.deleteRecords(Map.of(p, RecordsToDelete.beforeOffset(offset))).all().get());
        create(topic("compacted", "cleanup.policy", "compact"), false);
        ask("delete records of compacted", () -> admin.deleteRecords(Map.of(new TopicPartition("compacted", 0), RecordsToDelete.beforeOffset(0))).all().get());
    }

    static String sorted(Map<TopicPartition, Optional<Throwable>> m) {
        Map<String, String> out = new TreeMap<>();
        m.forEach((k, v) -> out.put(k.toString(), v.map(e -> e.getClass().getSimpleName() + ": " + e.getMessage()).orElse("ok")));
        return out.toString();
    }

    public static void main(String[] args) throws Exception {
        Properties o = new Properties();
        o.put("bootstrap.servers", args[0]);
        o.put("default.api.timeout.ms", "5000");
        o.put("request.timeout.ms", "4000");
        o.put("retries", "1");
        try (Admin a = Admin.create(o)) {
            admin = a;
            topics();
            configs();
            cluster();
        }
    }
}
