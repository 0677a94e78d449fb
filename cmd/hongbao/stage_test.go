package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hongbao/internal/embedded"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// stagePatience bounds what a test waits for; the machines that run it are shared.
const stagePatience = 2 * time.Minute

// stage is a Kafka and a Redis with topics of its own, on which a test runs commands as processes do: embedded
// parts by default, real ones where HONGBAO_TEST_BROKERS and HONGBAO_TEST_REDIS name them.
type stage struct {
	t       *testing.T
	brokers []string
	prefix  string
	env     []string
	root    string // of data directories
	log     *topiclog.Client
}

func newStage(t *testing.T, env ...string) *stage {
	t.Helper()
	s := &stage{t: t, root: t.TempDir(), prefix: "cmd" + strings.ToLower(rand.Text()[:8]) + ".", brokers: strings.Fields(os.Getenv("HONGBAO_TEST_BROKERS"))}
	redis := os.Getenv("HONGBAO_TEST_REDIS")
	if len(s.brokers) == 0 || redis == "" {
		parts, err := embedded.Start(embedded.Config{Partitions: partitions})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(parts.Close)
		s.brokers, redis = parts.Brokers(), parts.RedisAddr()
	}
	s.env = slices.Concat(env, []string{
		"HONGBAO_BROKERS=" + strings.Join(s.brokers, ","), "HONGBAO_REDIS=" + redis, "HONGBAO_PREFIX=" + s.prefix, "HONGBAO_LOG_LEVEL=error",
	})
	var err error
	if s.log, err = topiclog.Dial(t.Context(), topiclog.Config{Brokers: s.brokers, Prefix: s.prefix}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.log.Close)
	if _, err := s.log.Create(t.Context(), topiclog.Options{Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.log.Remove(context.WithoutCancel(t.Context())); err != nil {
			t.Log(err)
		}
	})
	return s
}

// serve starts `hongbao run` as an instance. It ends when stop is called, at the latest with the test.
func (s *stage) serve(instance string) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	var errOut strings.Builder // read after the process has ended
	go func() {
		ended <- run(ctx, process{
			args: []string{"run", "--instance", instance, "--data", filepath.Join(s.root, instance), "--listen", "127.0.0.1:0", "--pin", "off"},
			env:  s.env, hostname: func() (string, error) { return "host-1", nil }, in: strings.NewReader(""), out: io.Discard, errOut: &errOut,
		})
	}()
	once := false
	stop = func() {
		cancel()
		if once {
			return
		}
		once = true
		if code := <-ended; code != exitDone {
			s.t.Errorf("run ended with %d: %s", code, errOut.String())
		}
	}
	s.t.Cleanup(stop)
	return stop
}

// do runs one command with --json and decodes its answer, if it has one, into answer.
func (s *stage) do(answer any, args ...string) (code int, errOut string) {
	s.t.Helper()
	code, out, errOut := start(s.t, s.env, append(args, "--json")...)
	if out != "" && answer != nil {
		if err := json.Unmarshal([]byte(out), answer); err != nil {
			s.t.Fatalf("%v: %q is no answer: %v", args, out, err)
		}
	}
	return code, errOut
}

// must runs a command that has to succeed.
func (s *stage) must(answer any, args ...string) {
	s.t.Helper()
	if code, errOut := s.do(answer, args...); code != exitDone {
		s.t.Fatalf("%v: exit %d, %s, %+v", args, code, errOut, answer)
	}
}

// refused runs a command that has to be refused in words that hold these.
func (s *stage) refused(words string, args ...string) {
	s.t.Helper()
	if code, errOut := s.do(nil, args...); code != exitFailed || !strings.Contains(errOut, words) {
		s.t.Errorf("%v: exit %d, %q; want a refusal with %q", args, code, errOut, words)
	}
}

// until asks again and again until done.
func (s *stage) until(what string, done func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), stagePatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("not within %s: %s", stagePatience, what)
		case <-tick.C:
		}
	}
}

// write sends records of one topic: those with a key where it belongs, others to their partition.
func (s *stage) write(t schemas.Topic, records ...topiclog.Record) {
	s.t.Helper()
	for i := range records {
		if records[i].Key != nil {
			records[i].Partition = topiclog.ByKey
		}
	}
	s.writeTo(t, records...)
}

// writeTo sends records to the partitions that they name, wrong ones too.
func (s *stage) writeTo(t schemas.Topic, records ...topiclog.Record) {
	s.t.Helper()
	w, err := s.log.Writer(s.t.Context(), topiclog.WriterConfig{}, t)
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Close()
	for _, r := range records {
		if err := w.Write(s.t.Context(), t, r.Partition, r.Key, r.Value, r.Headers); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := w.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// campaignText is a campaign with one coupon kind, of any stock, and a budget.
func campaignText(id, version, stock int) string {
	return fmt.Sprintf(`campaign: %d
version: %d
starts: 2000-01-01T00:00:00Z
ends: 2100-01-01T00:00:00Z
budget: {CNY: 1000000}
coupons: {gift: {stock: %d, valid_for: 720h, value_minor: 500, currency: CNY}}
rewards: [{id: welcome, on: join, to: invitee, coupon: gift}]
`, id, version, stock)
}

// testKeys are keys of invite codes, without which only the demo campaign runs.
const testKeys = `HONGBAO_CODE_KEYS={"keys": [{"id": 7, "secret": "c2VjcmV0IG9mIDI0IHJhbmRvbSBieXRlcw==", "mint": true}]}`
