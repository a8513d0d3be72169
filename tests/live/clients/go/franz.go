package main

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type franz struct {
	bootstrap string
	producers map[string]*kgo.Client
	admin     *kadm.Client
}

var franzCodecs = map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}

func newFranz(bootstrap string) (client, error) {
	base, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	return &franz{bootstrap, map[string]*kgo.Client{}, kadm.NewClient(base)}, err
}

func (f *franz) codecs() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

func (f *franz) create(topic string, partitions int) error {
	_, err := f.admin.CreateTopic(context.Background(), int32(partitions), 1, nil, topic)
	return err
}

// produce: idempotent, as is the default; a codec belongs to a client.
func (f *franz) produce(topic, codec string, values []string) error {
	p := f.producers[codec]
	if p == nil {
		var err error
		if p, err = kgo.NewClient(kgo.SeedBrokers(f.bootstrap), kgo.ProducerBatchCompression(franzCodecs[codec])); err != nil {
			return err
		}
		f.producers[codec] = p
	}
	var records []*kgo.Record
	for i, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte(fmt.Sprint("k", i)), Value: []byte(v),
			Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}}})
	}
	return p.ProduceSync(context.Background(), records...).FirstErr()
}

func (f *franz) committed(topic, group string) (map[int]int64, error) {
	out := map[int]int64{}
	found, err := f.admin.FetchOffsets(context.Background(), group)
	for p, o := range found[topic] {
		out[int(p)] = o.At
	}
	return out, err
}

func (f *franz) close() error {
	for _, p := range f.producers {
		p.Close()
	}
	f.admin.Close()
	return nil
}

type franzMember struct {
	c    *kgo.Client
	mu   sync.Mutex
	mine map[int32]bool
	got  []*kgo.Record
	took []*kgo.Record
	done chan struct{}
}

func (f *franz) join(topic, group, name string) (member, error) {
	m := &franzMember{mine: map[int32]bool{}, done: make(chan struct{})}
	change := func(own bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, p := range changed[topic] {
				if own {
					m.mine[p] = true
				} else {
					delete(m.mine, p)
				}
			}
		}
	}
	var err error
	m.c, err = kgo.NewClient(kgo.SeedBrokers(f.bootstrap), kgo.ClientID(name), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.HeartbeatInterval(200*time.Millisecond), kgo.DisableAutoCommit(), kgo.OnPartitionsAssigned(change(true)),
		kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(m.done)
		for {
			fetches := m.c.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			m.mu.Lock()
			m.got = append(m.got, fetches.Records()...)
			m.mu.Unlock()
		}
	}()
	return m, nil
}

func (m *franzMember) owned() ([]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []int{}
	for p := range m.mine {
		out = append(out, int(p))
	}
	sort.Ints(out)
	return out, nil
}

func (m *franzMember) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, r := range m.got {
		out = append(out, string(r.Value))
	}
	m.took, m.got = append(m.took, m.got...), nil
	return out
}

func (m *franzMember) commit() error {
	err := m.c.CommitRecords(context.Background(), m.took...)
	m.took = nil
	return err
}

func (m *franzMember) leave() error {
	m.c.Close()
	<-m.done
	return nil
}
