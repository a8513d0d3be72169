"""Metrics of Connect under the names of the published dashboards (Strimzi's)."""
from confluent_kafka import Producer
from test_metrics import scrape, value
from weirproc import wait_until

TASK = """connector_task_status connector_task_running_ratio connector_task_pause_ratio connector_task_offset_commit_max_time_ms
    connector_task_offset_commit_avg_time_ms connector_task_batch_size_max connector_task_batch_size_avg
    connector_task_offset_commit_failure_percentage connector_task_offset_commit_success_percentage source_task_source_record_poll_rate
    source_task_source_record_poll_total source_task_source_record_write_rate source_task_source_record_write_total
    source_task_poll_batch_max_time_ms source_task_poll_batch_avg_time_ms source_task_source_record_active_count
    source_task_source_record_active_count_max source_task_source_record_active_count_avg source_task_transaction_size_min
    source_task_transaction_size_max source_task_transaction_size_avg task_error_total_record_failures
    task_error_total_record_errors task_error_total_records_skipped task_error_total_retries task_error_total_errors_logged
    task_error_deadletterqueue_produce_requests task_error_deadletterqueue_produce_failures task_error_last_error_timestamp""".split()
SINK = """sink_task_sink_record_read_rate sink_task_sink_record_read_total sink_task_sink_record_send_rate sink_task_sink_record_send_total
    sink_task_sink_record_lag_max sink_task_partition_count sink_task_offset_commit_seq_no sink_task_offset_commit_completion_rate
    sink_task_offset_commit_completion_total sink_task_offset_commit_skip_rate sink_task_offset_commit_skip_total
    sink_task_put_batch_max_time_ms sink_task_put_batch_avg_time_ms sink_task_sink_record_active_count
    sink_task_sink_record_active_count_max sink_task_sink_record_active_count_avg""".split()
WORKER = """worker_connector_count worker_task_count worker_connector_startup_attempts_total worker_connector_startup_success_total
    worker_connector_startup_success_percentage worker_connector_startup_failure_total worker_connector_startup_failure_percentage
    worker_task_startup_attempts_total worker_task_startup_success_total worker_task_startup_success_percentage
    worker_task_startup_failure_total worker_task_startup_failure_percentage worker_connector_total_task_count
    worker_connector_running_task_count worker_connector_paused_task_count worker_connector_failed_task_count
    worker_connector_unassigned_task_count worker_connector_destroyed_task_count worker_connector_restarting_task_count
    worker_rebalance_connect_protocol worker_rebalance_leader_name worker_rebalance_epoch worker_rebalance_rebalancing
    worker_rebalance_rebalance_max_time_ms worker_rebalance_rebalance_avg_time_ms
    worker_rebalance_completed_rebalances_total worker_rebalance_time_since_last_rebalance_ms""".split()

def test_worker_and_tasks(weir, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("".join(f"{i}\n" for i in range(100)))
    weir.create_connector("lines", {"connector.class": "FileStreamSource", "file": str(source), "topic": "lines"})
    weir.create_connector("bad", {"connector.class": "FileStreamSource", "file": str(source), "topic": None})
    url = weir.web + "/metrics"
    task = {"connector": "lines", "task": "0"}

    def of_task(name):
        return scrape(url).get(("kafka_connect_" + name, tuple(sorted(task.items()))))
    wait_until(lambda: of_task("source_task_source_record_write_total") == 100 and of_task("connector_task_offset_commit_success_percentage") == 1)
    for openmetrics in (False, True):
        samples = scrape(url, openmetrics)
        names = {name for name, labels in samples}
        assert not [n for n in TASK + WORKER if f"kafka_connect_{n}" not in names]
        v = lambda name, **labels: value(samples, "kafka_connect_" + name, **labels)  # noqa: E731
        assert v("worker_connector_count") == 2 and v("worker_task_count") == 1
        assert v("worker_connector_startup_attempts_total") == 2 and v("worker_connector_startup_failure_total") == 1
        assert v("worker_connector_total_task_count", connector="lines") == 1 and v("worker_connector_running_task_count", connector="lines") == 1
        assert v("worker_connector_total_task_count", connector="bad") == 0
        assert v("connector_task_status", status="running", **task) == 1
        assert v("connector_metrics", connector="lines", connector_class="org.apache.kafka.connect.file.FileStreamSourceConnector",
                 connector_type="source", connector_version="4.1.1") == 1
        assert v("source_task_source_record_poll_total", **task) == 100 and v("connector_task_batch_size_max", **task) == 100
        assert v("source_task_source_record_poll_rate", **task) > 0
        assert v("connector_task_running_ratio", **task) == 1 and v("connector_task_offset_commit_success_percentage", **task) == 1
    weir.rest("PUT", "/connectors/lines/pause")
    wait_until(lambda: ("kafka_connect_connector_task_status", tuple(sorted({**task, "status": "paused"}.items()))) in scrape(url))
    wait_until(lambda: of_task("connector_task_pause_ratio") > 0)
    weir.rest("DELETE", "/connectors/lines")
    assert not [labels for name, labels in scrape(url) if ("connector", "lines") in labels]


def test_sink(weir, tmp_path):
    p = Producer({"bootstrap.servers": weir.bootstrap})
    for text in (b'"one"', b"not JSON", b'"two"'):
        p.produce("in", text)
    assert p.flush(30) == 0
    weir.create_connector("out", {"connector.class": "FileStreamSink", "file": str(tmp_path / "out.txt"), "topics": "in", "value.converter": "JsonConverter",
                                  "value.converter.schemas.enable": "false", "errors.tolerance": "all", "errors.log.enable": "true",
                                  "errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.topic.replication.factor": "1"})

    def figures():
        samples = scrape(weir.web + "/metrics")
        return [samples.get(("kafka_connect_" + n, (("connector", "out"), ("task", "0")))) for n in (
            "sink_task_sink_record_read_total", "sink_task_sink_record_send_total", "task_error_total_record_failures", "task_error_total_record_errors",
            "task_error_total_records_skipped", "task_error_total_errors_logged", "task_error_deadletterqueue_produce_requests",
            "sink_task_partition_count", "sink_task_sink_record_lag_max")]
    wait_until(lambda: figures() == [3, 2, 1, 1, 1, 1, 1, 1, 0], 60)
    names = {name for name, labels in scrape(weir.web + "/metrics")}
    assert not [n for n in SINK if f"kafka_connect_{n}" not in names]
    wait_until(lambda: scrape(weir.web + "/metrics").get(("kafka_connect_sink_task_offset_commit_completion_total", (("connector", "out"), ("task", "0"))), 0) > 0, 90)
