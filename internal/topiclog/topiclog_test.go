package topiclog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"hongbao/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachBroker runs a test on the embedded broker, and on a real one when
// HONGBAO_TEST_BROKERS names it.
func eachBroker(t *testing.T, test func(t *testing.T, cfg Config)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		cluster := kfake.MustCluster(kfake.NumBrokers(1), kfake.SleepOutOfOrder())
		t.Cleanup(cluster.Close)
		test(t, Config{Brokers: cluster.ListenAddrs(), Prefix: prefix(t)})
	})
	if real := os.Getenv("HONGBAO_TEST_BROKERS"); real != "" {
		t.Run("real", func(t *testing.T) {
			t.Parallel()
			test(t, Config{Brokers: strings.Fields(strings.ReplaceAll(real, ",", " ")), Prefix: prefix(t)})
		})
	}
}

func prefix(t testing.TB) string {
	t.Helper()
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return "tl" + hex.EncodeToString(b[:]) + "."
}

const testPartitions = 4

func dial(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// topics makes the ten topics and removes them afterwards, so that a real broker stays clean.
func topics(t testing.TB, c *Client) {
	t.Helper()
	names, err := c.Create(t.Context(), Options{Partitions: testPartitions})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := c.adm.DeleteTopics(ctx, names...); err != nil {
			t.Log(err)
		}
	})
}

func TestCreateIsIdempotentAndChecked(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		o := Options{Partitions: testPartitions}
		findings, err := c.Check(t.Context(), o)
		if err != nil || len(findings) != int(schemas.Topics) || findings[0].Setting != "existence" {
			t.Fatalf("before creation: %v, %v", findings, err)
		}
		topics(t, c)
		again, err := c.Create(t.Context(), o)
		if err != nil || len(again) != 0 {
			t.Fatalf("second creation made %v, %v", again, err)
		}
		if findings, err = c.Check(t.Context(), o); err != nil || len(findings) != 0 {
			t.Fatalf("after creation: %v, %v", findings, err)
		}
		if findings, err = c.Check(t.Context(), Options{Partitions: 8}); err != nil || len(findings) != int(schemas.Topics) {
			t.Fatalf("with another partition count: %v, %v", findings, err)
		}
		facts := c.Name(schemas.TopicFacts)
		week := kadm.AlterConfig{Op: kadm.SetConfig, Name: "retention.ms", Value: new("604800000")}
		if _, err := c.adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{week}, facts); err != nil {
			t.Fatal(err)
		}
		for findings = nil; len(findings) == 0; { // the change reaches the brokers after some milliseconds
			if findings, err = c.Check(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		if len(findings) != 1 {
			t.Fatalf("with a week of facts: %v", findings)
		}
		want := "topic " + facts + ": retention.ms is 604800000, wanted -1"
		if got := findings[0].String(); got != want {
			t.Errorf("finding %q, want %q", got, want)
		}
	})
}

func TestLayout(t *testing.T) {
	t.Parallel()
	for _, l := range Layout(Options{}) {
		if l.Partitions != 16 || l.Replication != 3 {
			t.Errorf("%s: %d partitions, %d replicas", l.Topic, l.Partitions, l.Replication)
		}
		i := slices.IndexFunc(l.Settings, func(s Setting) bool { return s.Name == "min.insync.replicas" })
		if i < 0 || l.Settings[i].Value != "2" {
			t.Errorf("%s: min.insync.replicas missing or wrong", l.Topic)
		}
	}
	month := Setting{Name: "retention.ms", Value: "2592000000", AtLeast: true}
	for found, want := range map[string]bool{"2592000000": true, "2592000001": true, "-1": true, "2591999999": false, "": false, "x": false} {
		if month.holds(found) != want {
			t.Errorf("retention %q held: %v", found, !want)
		}
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "kafka-1": false, "10.0.0.1": false} {
		if loopback(host) != want {
			t.Errorf("loopback(%q) = %v", host, !want)
		}
	}
}

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		topics(t, c)
		w, err := c.Writer(t.Context(), WriterConfig{Linger: time.Millisecond}, schemas.TopicEvents)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		const n = 20_000
		for i := range n {
			key := schemas.AppendKey(nil, int64(i%97+1))
			err := w.Write(t.Context(), schemas.TopicEvents, ByKey, key, fmt.Appendf(nil, "%d", i), nil)
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := make(map[string]int)
		var done, total int64
		o := ReadOptions{Progress: func(d, t int64) { done, total = d, t }}
		seen := 0
		err = c.Read(t.Context(), schemas.TopicEvents, o, func(r *Record) error {
			if want := schemas.Partition(r.Key, testPartitions); r.Partition != want {
				return fmt.Errorf("key %s in partition %d, want %d", r.Key, r.Partition, want)
			}
			if got, last := number(r.Value), next[string(r.Key)]; got < last {
				return fmt.Errorf("key %s: %d after %d", r.Key, got, last)
			}
			next[string(r.Key)] = number(r.Value)
			seen++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if seen != n || done != n || total != n {
			t.Errorf("read %d records, progress %d of %d, want %d", seen, done, total, n)
		}
	})
}

func number(text []byte) (n int) {
	for _, b := range text {
		n = n*10 + int(b-'0')
	}
	return n
}

func TestMisroutedOnPurpose(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		topics(t, c)
		w, err := c.Writer(t.Context(), WriterConfig{}, schemas.TopicEvents)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		key := []byte("7")
		wrong := (schemas.Partition(key, testPartitions) + 1) % testPartitions
		if err := w.Write(t.Context(), schemas.TopicEvents, wrong, key, []byte("v"), nil); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(t.Context(), schemas.TopicEvents, ByKey, nil, []byte("v"), nil); err == nil {
			t.Error("a record without key found a partition by its key")
		}
		if err := w.Write(t.Context(), schemas.TopicFacts, 0, key, nil, nil); err == nil {
			t.Error("a topic that the writer was not made for was accepted")
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = c.Read(t.Context(), schemas.TopicEvents, ReadOptions{}, func(r *Record) error {
			if r.Partition != wrong {
				t.Errorf("partition %d, want %d", r.Partition, wrong)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// T5: a record that is refused is an error of Flush that names it.
func TestRefusedRecordIsReported(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		topics(t, c)
		w, err := c.Writer(t.Context(), WriterConfig{}, schemas.TopicFacts)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := w.Write(t.Context(), schemas.TopicFacts, ByKey, []byte("42"), make([]byte, 3*mib), nil); err != nil {
			t.Fatal(err)
		}
		err = w.Flush(t.Context())
		if !errors.Is(err, kerr.MessageTooLarge) || !strings.Contains(err.Error(), `"42"`) {
			t.Errorf("flush said %v", err)
		}
		if err := w.Write(t.Context(), schemas.TopicFacts, ByKey, []byte("43"), nil, nil); err == nil {
			t.Error("a write after a failure was accepted")
		}
	})
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		topics(t, c)
		if err := c.Broadcast(t.Context(), schemas.TopicControl, []byte("campaign/1"), []byte("pause"), nil); err != nil {
			t.Fatal(err)
		}
		for p := range testPartitions {
			waitForEnd(t, c, schemas.TopicControl, p, 2)
		}
		seen := make([]int, testPartitions)
		err := c.Read(t.Context(), schemas.TopicControl, ReadOptions{}, func(r *Record) error {
			seen[r.Partition]++
			return nil
		})
		if err != nil || !slices.Equal(seen, []int{1, 1, 1, 1}) {
			t.Errorf("records by partition %v, %v", seen, err)
		}
		// T4: refused everywhere, so nothing may be seen.
		if err := c.Broadcast(t.Context(), schemas.TopicControl, []byte("k"), make([]byte, 5*mib), nil); err == nil {
			t.Error("a record that is too large was broadcast")
		}
		err = c.Read(t.Context(), schemas.TopicControl, ReadOptions{}, func(r *Record) error {
			seen[r.Partition]++
			return nil
		})
		if err != nil || !slices.Equal(seen, []int{2, 2, 2, 2}) {
			t.Errorf("after the refused one: %v, %v", seen, err)
		}
	})
}

func transactional(t *testing.T, cfg Config, id string) *kgo.Client {
	t.Helper()
	kc, err := kgo.NewClient(append(cfg.options(), kgo.TransactionalID(cfg.Prefix+id), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kc.Close)
	if err := kc.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	return kc
}

func produce(t *testing.T, kc *kgo.Client, topic, value string) {
	t.Helper()
	r := &Record{Topic: topic, Value: []byte(value)}
	if err := kc.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// T1, T2: the log is a(0) b(1) abort-of-a(2); b stays open, so the last stable offset is 1 and
// the only record below it is aborted. The reader must end all the same.
func TestReadEndsByPosition(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		topics(t, c)
		name := c.Name(schemas.TopicFacts)
		a, b := transactional(t, cfg, "a"), transactional(t, cfg, "b")
		produce(t, a, name, "aborted")
		produce(t, b, name, "open")
		if err := a.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		if got := values(t, c, ReadOptions{}); len(got) != 0 {
			t.Errorf("below the open transaction: %q", got)
		}
		if err := b.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		waitForEnd(t, c, schemas.TopicFacts, 0, 4)
		if got := values(t, c, ReadOptions{}); !slices.Equal(got, []string{"open"}) {
			t.Errorf("committed: %q", got)
		}
		if got := values(t, c, ReadOptions{Uncommitted: true}); !slices.Equal(got, []string{"aborted", "open"}) {
			t.Errorf("uncommitted: %q", got)
		}
	})
}

// waitForEnd waits for the markers: EndTransaction returns before they are written.
func waitForEnd(t *testing.T, c *Client, topic schemas.Topic, partition int, end int64) {
	t.Helper()
	for {
		ends, err := c.Ends(t.Context(), Committed, topic)
		if err != nil {
			t.Fatal(err)
		}
		if ends[topic][partition] >= end {
			return
		}
	}
}

func values(t *testing.T, c *Client, o ReadOptions) []string {
	t.Helper()
	var out []string
	err := c.Read(t.Context(), schemas.TopicFacts, o, func(r *Record) error {
		out = append(out, string(r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCommittedOffsets(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		topics(t, c)
		group := cfg.Prefix + "g"
		commits, err := c.CommittedOffsets(t.Context(), group, schemas.TopicEvents)
		if err != nil || len(commits) != testPartitions || commits[0].Offset != -1 {
			t.Fatalf("a group that never committed: %v, %v", commits, err)
		}
		var o kadm.Offsets
		o.Add(kadm.Offset{Topic: c.Name(schemas.TopicEvents), Partition: 2, At: 17, LeaderEpoch: -1, Metadata: "1 5 abc"})
		if err := c.adm.CommitAllOffsets(t.Context(), group, o); err != nil {
			t.Fatal(err)
		}
		commits, err = c.CommittedOffsets(t.Context(), group, schemas.TopicEvents)
		if err != nil || commits[2] != (Commit{17, "1 5 abc"}) || commits[1].Offset != -1 {
			t.Errorf("after a commit: %v, %v", commits, err)
		}
	})
}

func TestErrorsNameWhatIsMissing(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		if _, err := c.Ends(t.Context(), Committed, schemas.TopicFacts); err == nil || !strings.Contains(err.Error(), "topics create") {
			t.Errorf("ends of a missing topic: %v", err)
		}
		topics(t, c)
		cur := c.Cursor(t.Context(), Span{Topic: schemas.TopicFacts, From: 5, To: 9}, Committed)
		defer cur.Close()
		if _, err := cur.Next(); !errors.Is(err, kerr.OffsetOutOfRange) || !strings.Contains(err.Error(), "offset 5") {
			t.Errorf("a lost offset: %v", err)
		}
	})
	if _, err := Dial(t.Context(), Config{}); err == nil {
		t.Error("dialled nobody")
	}
}

// A cursor that is closed in mid-read must not look like one that reached its end.
func TestCancelledCursorSaysSo(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		topics(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		cur := c.Cursor(ctx, Span{Topic: schemas.TopicFacts, From: 0, To: 9}, Committed)
		defer cur.Close()
		cancel()
		if _, err := cur.Next(); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled cursor said %v", err)
		}
	})
}

func TestFollow(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		topics(t, c)
		w, err := c.Writer(t.Context(), WriterConfig{}, schemas.TopicFacts)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		const n = 100
		for i := range n {
			if err := w.Write(ctx, schemas.TopicFacts, int32(i%testPartitions), []byte("k"), fmt.Appendf(nil, "%d", i), nil); err != nil {
				t.Fatal(err)
			}
		}
		seen := 0
		err = c.Follow(ctx, schemas.TopicFacts, make([]int64, testPartitions), func(*Record) error {
			if seen++; seen == n {
				cancel()
			}
			return nil
		})
		if err != nil || seen != n {
			t.Errorf("followed %d records, %v", seen, err)
		}
	})
}
