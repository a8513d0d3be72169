"""Kafka's own command line tools by their names, all in one JVM (KafkaTools.java): `with KafkaTools() as t:` gives t.bin, a
folder for PATH whose kafka-topics.sh and so on hand their arguments to that JVM."""
import glob
import os
import shutil
import subprocess
import tempfile

from clienttools import missing

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.environ.get("WEIR_SHARED", os.path.join(HERE, "..", "..", "..", "..", "shared"))

CLASSES = {
    "kafka-acls": "org.apache.kafka.tools.AclCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-delegation-tokens": "org.apache.kafka.tools.DelegationTokenCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}

# Files named by an argument are where the caller stands, which is not where the JVM stands.
SHIM = """#!/bin/bash
args=("$@")
for i in "${{!args[@]}}"; do [[ ${{args[i]}} != /* && -f ${{args[i]}} ]] && args[i]=$PWD/${{args[i]}}; done
io={bin}/$$
cat >$io.in
exec 3<>/dev/tcp/127.0.0.1/{port} || exit 126
printf '%s\\0' $((${{#args[@]}} + 4)) $io.in $io.out $io.err {name} "${{args[@]}}" >&3
cat <&3 >$io.status & child=$!
trap 'printf x >&3' TERM
while kill -0 $child 2>/dev/null; do wait $child; done
status=$(<$io.status)
cat $io.out
cat $io.err >&2
rm -f $io.*
exit "${{status:-125}}"
"""

# These end by what a JVM does at its end, and get one of their own.
DIRECT = """#!/bin/bash
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile={bin}/log4j2.properties -cp '{jars}' {name} "$@"
"""
OWN_JVM = {"kafka-verifiable-producer"}

# As the tools' own configuration: warnings and errors on standard error.
LOG4J = """rootLogger.level = WARN
rootLogger.appenderRefs = err
rootLogger.appenderRef.err.ref = err
appender.err.type = Console
appender.err.name = err
appender.err.target = SYSTEM_ERR
appender.err.follow = true
appender.err.layout.type = PatternLayout
appender.err.layout.pattern = [%d] %p %m (%c)%n
"""


def class_path():
    """Kafka's jars, unpacked; they are downloaded when they were never needed before."""
    stack = os.path.join(SHARED, "oracle", "stack.sh")
    if not os.path.exists(stack):
        missing("the folder with Kafka's own tools (../shared)")
    wild = subprocess.run(["bash", stack, "classpath"], capture_output=True, text=True, check=True, timeout=600).stdout.strip()
    return ":".join(jar for folder in wild.split(":") if "streams" not in folder for jar in sorted(glob.glob(folder + ".jar")))


class KafkaTools:
    def __enter__(self):
        self.bin = tempfile.mkdtemp(prefix="weir-tools-")
        try:
            jars = class_path()
            log4j = os.path.join(self.bin, "log4j2.properties")
            with open(log4j, "w") as f:
                f.write(LOG4J)
            self.log = open(os.path.join(self.bin, "jvm.log"), "w+")
            self.jvm = subprocess.Popen(
                ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.security.manager=allow",
                 f"-Dlog4j2.configurationFile={log4j}",
                 "-Dlog4j2.contextSelector=org.apache.logging.log4j.core.selector.BasicContextSelector",
                 "-cp", jars, os.path.join(HERE, "KafkaTools.java")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, cwd=self.bin)
            port = self.jvm.stdout.readline().strip()
            if not port:
                self.log.seek(0)
                raise AssertionError(f"the JVM for Kafka's tools did not start: {self.log.read()}")
            for name, main in CLASSES.items():
                path = os.path.join(self.bin, name + ".sh")
                with open(path, "w") as f:
                    f.write((DIRECT if name in OWN_JVM else SHIM).format(port=port, name=main, bin=self.bin, jars=jars))
                os.chmod(path, 0o755)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        if hasattr(self, "jvm"):
            self.jvm.stdin.close()
            try:
                self.jvm.wait(20)
            except subprocess.TimeoutExpired:
                self.jvm.kill()
                self.jvm.wait()
            self.jvm.stdout.close()
        if hasattr(self, "log"):
            self.log.close()
        shutil.rmtree(self.bin, ignore_errors=True)

    def environment(self):
        return {**os.environ, "PATH": self.bin + ":" + os.environ["PATH"]}
