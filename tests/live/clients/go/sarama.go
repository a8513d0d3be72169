package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

type saramaClient struct {
	bootstrap string
	producers map[string]sarama.SyncProducer
	admin     sarama.ClusterAdmin
}

var saramaCodecs = map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}

func saramaConfig(name string) *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = name
	c.Version = sarama.V3_6_0_0
	c.Metadata.Retry.Max = 20
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Producer.Retry.Max = 50
	c.Net.MaxOpenRequests = 1
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	c.Consumer.Group.Rebalance.Retry.Backoff = 200 * time.Millisecond
	return c
}

func newSarama(bootstrap string) (client, error) {
	sarama.Logger = log.New(io.Discard, "", 0)
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, saramaConfig("admin"))
	return &saramaClient{bootstrap, map[string]sarama.SyncProducer{}, admin}, err
}

func (s *saramaClient) codecs() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

func (s *saramaClient) create(topic string, partitions int) error {
	return s.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1}, false)
}

func (s *saramaClient) producer(codec string) (sarama.SyncProducer, error) {
	if p := s.producers[codec]; p != nil {
		return p, nil
	}
	config := saramaConfig("producer")
	config.Producer.Compression = saramaCodecs[codec]
	p, err := sarama.NewSyncProducer([]string{s.bootstrap}, config)
	if err == nil {
		s.producers[codec] = p
	}
	return p, err
}

func (s *saramaClient) produce(topic, codec string, values []string) error {
	var messages []*sarama.ProducerMessage
	for i, v := range values {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(fmt.Sprint("k", i)),
			Value: sarama.StringEncoder(v), Headers: []sarama.RecordHeader{{Key: []byte("h"), Value: []byte("1")}}})
	}
	p, err := s.producer(codec)
	if err != nil {
		return err
	}
	err = p.SendMessages(messages)
	var failed sarama.ProducerErrors
	if errors.As(err, &failed) && strings.Contains(failed[0].Err.Error(), "out of sequence added to a batch") {
		// An assertion within sarama: retries of its idempotent producer overtook each other while the broker was away.
		// What it did not send goes through a new producer, as its users do.
		p.Close()
		delete(s.producers, codec)
		if p, err = s.producer(codec); err != nil {
			return err
		}
		var again []*sarama.ProducerMessage
		for _, f := range failed {
			again = append(again, &sarama.ProducerMessage{Topic: f.Msg.Topic, Key: f.Msg.Key, Value: f.Msg.Value, Headers: f.Msg.Headers})
		}
		err = p.SendMessages(again)
	}
	if errors.As(err, &failed) { // the sum says only how many
		return fmt.Errorf("%w: %v", err, failed[0].Err)
	}
	return err
}

func (s *saramaClient) committed(topic, group string) (map[int]int64, error) {
	asked := map[string][]int32{topic: {}}
	for p := int32(0); p < partitions; p++ {
		asked[topic] = append(asked[topic], p)
	}
	out := map[int]int64{}
	found, err := s.admin.ListConsumerGroupOffsets(group, asked)
	if err != nil {
		return nil, err
	}
	for p, block := range found.Blocks[topic] {
		out[int(p)] = block.Offset
	}
	return out, nil
}

func (s *saramaClient) close() error {
	for _, p := range s.producers {
		if err := p.Close(); err != nil {
			return err
		}
	}
	return s.admin.Close()
}

type saramaMember struct {
	g       sarama.ConsumerGroup
	stop    context.CancelFunc
	done    chan struct{}
	mu      sync.Mutex
	session sarama.ConsumerGroupSession
	mine    map[int32]bool
	got     []*sarama.ConsumerMessage
}

func (s *saramaClient) join(topic, group, name string) (member, error) {
	g, err := sarama.NewConsumerGroup([]string{s.bootstrap}, group, saramaConfig(name))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &saramaMember{g: g, stop: stop, done: make(chan struct{}), mine: map[int32]bool{}}
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{topic}, m); err != nil {
				time.Sleep(100 * time.Millisecond) // the broker restarts
			}
		}
	}()
	return m, nil
}

func (m *saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session, m.mine = session, map[int32]bool{}
	for _, p := range session.Claims()[topic] {
		m.mine[p] = true
	}
	return nil
}

func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mine = map[int32]bool{}
	return nil
}

func (m *saramaMember) ConsumeClaim(_ sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.mu.Lock()
		m.got = append(m.got, message)
		m.mu.Unlock()
	}
	return nil
}

func (m *saramaMember) owned() ([]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []int{}
	for p := range m.mine {
		out = append(out, int(p))
	}
	sort.Ints(out)
	return out, nil
}

func (m *saramaMember) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, message := range m.got {
		out = append(out, string(message.Value))
		m.session.MarkMessage(message, "")
	}
	m.got = nil
	return out
}

func (m *saramaMember) commit() error {
	m.session.Commit()
	return nil
}

func (m *saramaMember) leave() error {
	m.stop()
	err := m.g.Close()
	<-m.done
	return err
}
