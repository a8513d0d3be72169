// One round of a Go client against a broker: rounds CLIENT BOOTSTRAP, with CLIENT sarama, kafka-go or franz-go.
// Prints a JSON object a line, one for each step, and waits for a line of input after the step "restart". What the
// steps mean and what they must say is in ../test_rounds.py.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	topic      = "rounds"
	group      = "rounds-group"
	partitions = 4
	batch      = 40
	patience   = 30 * time.Second
)

var padding = ":" + strings.Repeat("x", 200)

// client is what each library has to offer. The producer behind it lives as long as the client.
type client interface {
	codecs() []string
	create(topic string, partitions int) error
	produce(topic, codec string, values []string) error
	join(topic, group, name string) (member, error)
	committed(topic, group string) (map[int]int64, error)
	close() error
}

type member interface {
	owned() ([]int, error)
	take() []string // values that came since the last call
	commit() error  // up to what take has returned
	leave() error
}

func say(step string, more map[string]any) {
	if more == nil {
		more = map[string]any{}
	}
	more["step"] = step
	text, _ := json.Marshal(more)
	fmt.Println(string(text))
}

func must(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func until(what string, done func() bool) {
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			fmt.Fprintf(os.Stderr, "%s did not come within %v\n", what, patience)
			os.Exit(1)
		}
	}
}

func values(name string) []string {
	out := make([]string, batch)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%d%s", name, i, padding)
	}
	return out
}

// consume takes from the members until count different values are there.
func consume(count int, members ...member) {
	got, seen := []string{}, map[string]bool{}
	until(fmt.Sprintf("%d values", count), func() bool {
		for _, m := range members {
			for _, v := range m.take() {
				v = strings.TrimSuffix(v, padding)
				got, seen[v] = append(got, v), true
			}
		}
		return len(seen) >= count
	})
	say("consumed", map[string]any{"values": got})
}

// owned waits until the members own the given numbers of partitions.
func owned(counts []int, members ...member) {
	var all [][]int
	until(fmt.Sprintf("shares of %v partitions", counts), func() bool {
		all = nil
		for i, m := range members {
			parts, err := m.owned()
			if err != nil || len(parts) != counts[i] {
				return false
			}
			all = append(all, parts)
		}
		return true
	})
	say("owned", map[string]any{"partitions": all})
}

func main() {
	clients := map[string]func(bootstrap string) (client, error){"sarama": newSarama, "kafka-go": newKafkaGo, "franz-go": newFranz}
	if len(os.Args) != 3 || clients[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: rounds sarama|kafka-go|franz-go BOOTSTRAP")
		os.Exit(2)
	}
	c, err := clients[os.Args[1]](os.Args[2])
	must(err, "client")
	must(c.create(topic, partitions), "create")
	say("created", nil)
	for _, codec := range c.codecs() {
		must(c.produce(topic, codec, values(codec)), "produce "+codec)
		say("produced", map[string]any{"codec": codec, "count": batch})
	}
	a, err := c.join(topic, group, "a")
	must(err, "join")
	consume(batch*len(c.codecs()), a)
	owned([]int{4}, a)
	must(a.commit(), "commit")
	b, err := c.join(topic, group, "b")
	must(err, "join of b")
	owned([]int{2, 2}, a, b)
	must(c.produce(topic, "none", values("two")), "produce to two")
	say("produced", map[string]any{"codec": "none", "count": batch})
	consume(batch, a, b)
	must(a.commit(), "commit")
	must(b.commit(), "commit of b")
	must(b.leave(), "leave of b")
	owned([]int{4}, a)
	say("restart", nil)
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	must(err, "stdin")
	must(c.produce(topic, "none", values("after")), "produce after the restart")
	say("produced", map[string]any{"codec": "none", "count": batch})
	consume(batch, a)
	must(a.commit(), "commit after the restart")
	must(a.leave(), "leave")
	offsets, err := c.committed(topic, group)
	must(err, "committed offsets")
	say("committed", map[string]any{"offsets": offsets})
	must(c.close(), "close")
	say("done", nil)
}
