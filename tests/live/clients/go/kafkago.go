package main

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

type kafkaGo struct {
	bootstrap string
	producers map[string]*kafka.Writer
	admin     *kafka.Client
}

var kafkaGoCodecs = map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}

func newKafkaGo(bootstrap string) (client, error) {
	admin := &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: 10 * time.Second}
	return &kafkaGo{bootstrap, map[string]*kafka.Writer{}, admin}, nil
}

func (k *kafkaGo) codecs() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

func (k *kafkaGo) create(topic string, partitions int) error {
	done, err := k.admin.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}}})
	if err != nil {
		return err
	}
	return done.Errors[topic]
}

func (k *kafkaGo) produce(topic, codec string, values []string) error {
	p := k.producers[codec]
	if p == nil {
		p = &kafka.Writer{Addr: kafka.TCP(k.bootstrap), Topic: topic, Balancer: &kafka.Hash{}, BatchTimeout: 10 * time.Millisecond,
			RequiredAcks: kafka.RequireAll, Compression: kafkaGoCodecs[codec], MaxAttempts: 50}
		k.producers[codec] = p
	}
	var messages []kafka.Message
	for i, v := range values {
		messages = append(messages, kafka.Message{Key: []byte(fmt.Sprint("k", i)), Value: []byte(v),
			Headers: []kafka.Header{{Key: "h", Value: []byte("1")}}})
	}
	return p.WriteMessages(context.Background(), messages...)
}

func (k *kafkaGo) committed(topic, group string) (map[int]int64, error) {
	asked := map[string][]int{topic: {0, 1, 2, 3}}
	// The pool of k.admin still holds connections from before the restart, and tells of each that it is closed.
	fresh := &kafka.Client{Addr: kafka.TCP(k.bootstrap), Timeout: 10 * time.Second, Transport: &kafka.Transport{}}
	found, err := fresh.OffsetFetch(context.Background(), &kafka.OffsetFetchRequest{GroupID: group, Topics: asked})
	if err != nil {
		return nil, err
	}
	out := map[int]int64{}
	for _, p := range found.Topics[topic] {
		out[p.Partition] = p.CommittedOffset
	}
	return out, found.Error
}

func (k *kafkaGo) close() error {
	for _, p := range k.producers {
		if err := p.Close(); err != nil {
			return err
		}
	}
	return nil
}

// kafkaGoMember: the Reader tells nobody what it owns, so the broker is asked (DescribeGroups).
type kafkaGoMember struct {
	k      *kafkaGo
	name   string
	group  string
	r      *kafka.Reader
	cancel context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex
	got    []kafka.Message
	took   []kafka.Message
}

func (k *kafkaGo) join(topic, group, name string) (member, error) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &kafkaGoMember{k: k, name: name, group: group, cancel: cancel, done: make(chan struct{})}
	m.r = kafka.NewReader(kafka.ReaderConfig{Brokers: []string{k.bootstrap}, GroupID: group, Topic: topic,
		Dialer: &kafka.Dialer{ClientID: name, Timeout: 10 * time.Second, DualStack: true}, MaxWait: 100 * time.Millisecond,
		HeartbeatInterval: 200 * time.Millisecond, StartOffset: kafka.FirstOffset, JoinGroupBackoff: 200 * time.Millisecond})
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			message, err := m.r.FetchMessage(ctx)
			if err != nil {
				continue
			}
			m.mu.Lock()
			m.got = append(m.got, message)
			m.mu.Unlock()
		}
	}()
	return m, nil
}

func (m *kafkaGoMember) owned() ([]int, error) {
	found, err := m.k.admin.DescribeGroups(context.Background(), &kafka.DescribeGroupsRequest{GroupIDs: []string{m.group}})
	if err != nil {
		return nil, err
	}
	out := []int{}
	for _, member := range found.Groups[0].Members {
		for _, t := range member.MemberAssignments.Topics {
			if member.ClientID == m.name && found.Groups[0].GroupState == "Stable" {
				out = append(out, t.Partitions...)
			}
		}
	}
	sort.Ints(out)
	return out, nil
}

func (m *kafkaGoMember) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, message := range m.got {
		out = append(out, string(message.Value))
	}
	m.took, m.got = append(m.took, m.got...), nil
	return out
}

// commit tries again: after a restart of the broker the first error tells that the connection is gone.
func (m *kafkaGoMember) commit() error {
	err := m.r.CommitMessages(context.Background(), m.took...)
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		err = m.r.CommitMessages(context.Background(), m.took...)
	}
	m.took = nil
	return err
}

func (m *kafkaGoMember) leave() error {
	m.cancel()
	err := m.r.Close()
	<-m.done
	return err
}
