package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/eventstore"
	"hongbao/internal/admin"
	"hongbao/internal/replay"
	"hongbao/internal/topiclog"
	"hongbao/projections"
)

// serveAt is serve where the test must know the instance's address.
func (s *stage) serveAt(instance string) (address string, stop func()) {
	s.t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	address = free.Addr().String()
	if err := free.Close(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	var errOut strings.Builder // read after the process has ended
	go func() {
		ended <- run(ctx, process{
			args: []string{"run", "--instance", instance, "--data", filepath.Join(s.root, instance), "--listen", address, "--pin", "off", "--issue-rate", "100000"},
			env:  s.env, hostname: func() (string, error) { return "host-1", nil }, in: strings.NewReader(""), out: io.Discard, errOut: &errOut,
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != exitDone {
			s.t.Errorf("run ended with %d: %s", code, errOut.String())
		}
	})
	s.t.Cleanup(stop)
	return address, stop
}

// replay runs the command, which has to succeed.
func (s *stage) replay(args ...string) (answer replayAnswer) {
	s.t.Helper()
	s.must(&answer, append([]string{"replay"}, args...)...)
	return answer
}

// settled waits until verify is content.
func (s *stage) settled() {
	s.t.Helper()
	s.until("verify to be content", func() bool { code, _ := s.do(nil, "verify"); return code == exitDone })
}

// TestReplayCompareAndSwap: what replay rebuilds is what the live store holds, at one seq and by hash; a key that was taken out of the live store is
// found; a swap mends it while the instance runs; and an instance that does not own a partition names who does.
func TestReplayCompareAndSwap(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	address, stop := s.serveAt("a")
	s.must(nil, "load", "synthetic", "--events", "3000", "--chains", "40", "--seed", "7")
	s.settled()

	answer := s.replay("--compare", "--listen", address, "--data", filepath.Join(s.root, "tool"))
	if len(answer.Partitions) != partitions || answer.Facts == 0 {
		t.Fatalf("replayed %+v", answer)
	}
	for _, p := range answer.Partitions {
		if p.Compared != replay.Same || p.StateHash == "" || p.StateHash != p.LiveHash {
			t.Errorf("partition %d: %+v", p.Partition, p)
		}
	}
	stop()
	planted := s.plant("a")

	// The directory is at rest: it is asked without an instance.
	args := []string{"replay", "--compare", "--listen", address, "--data", filepath.Join(s.root, "a")}
	s.differs(planted, args...)

	address, _ = s.serveAt("a")
	s.until("the instance to be ready", func() bool { code, _ := s.do(nil, "health", "--ready", "--listen", address); return code == exitDone })
	args[3] = address
	s.differs(planted, args...)
	answer = s.replay("--swap", "--partitions", "0-15", "--listen", address)
	for _, p := range answer.Partitions {
		if !p.Swapped {
			t.Errorf("partition %d is not swapped: %+v", p.Partition, p)
		}
	}
	s.replay(args[1:]...)
	s.settled()

	other, _ := s.serveAt("b")
	s.until("b to own something", func() bool {
		st, err := admin.NewClient(other).Status(t.Context())
		return err == nil && len(st.Working) > 0
	})
	s.elsewhere(other, address)
	// Partitions of two instances, each in the data directory of its owner.
	answer = s.replay("--swap", "--compare", "--listen", address)
	if len(answer.Dirs) != 2 || len(answer.Partitions) != partitions {
		t.Errorf("swapped in %v: %d partitions", answer.Dirs, len(answer.Partitions))
	}
	s.settled()
}

// plant takes one order out of a stopped store, without a trace in its step boundaries, and says in which partition.
func (s *stage) plant(instance string) int32 {
	s.t.Helper()
	store, err := eventstore.Open(eventstore.Config{Dir: filepath.Join(s.root, instance)})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	for p := range int32(partitions) {
		part, err := store.Partition(p)
		if err != nil {
			s.t.Fatal(err)
		}
		var order []byte
		if err := part.Scan(byte(projections.SpaceOrders), nil, func(key, _ []byte) error { order = slices.Clone(key); return nil }); err != nil {
			s.t.Fatal(err)
		}
		if order != nil {
			b := part.Begin()
			b.Delete(byte(projections.SpaceOrders), order)
			if err := errors.Join(b.CommitNodes(), part.Close()); err != nil {
				s.t.Fatal(err)
			}
			return p
		}
		if err := part.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	s.t.Fatal("no order in any partition")
	return 0
}

// differs runs a comparison that must find a difference in one partition alone.
func (s *stage) differs(partition int32, args ...string) {
	s.t.Helper()
	var answer replayAnswer
	code, errOut := s.do(&answer, args...)
	if code != exitFailed || answer.OK || len(answer.Partitions) != partitions {
		s.t.Fatalf("exit %d, %s: %+v", code, errOut, answer)
	}
	for _, p := range answer.Partitions {
		if want := p.Partition == partition; want != (p.Compared == replay.StateDiffers) || !want && p.Compared != replay.Same {
			s.t.Errorf("partition %d: %s; the difference is in %d", p.Partition, p.Compared, partition)
		}
	}
}

// elsewhere asks each of two instances for a partition of the other.
func (s *stage) elsewhere(one, two string) {
	s.t.Helper()
	for _, pair := range [][2]string{{one, two}, {two, one}} {
		st, err := admin.NewClient(pair[0]).Status(s.t.Context())
		if err != nil || len(st.Owned) == 0 {
			s.t.Fatalf("%s: %+v, %v", pair[0], st, err)
		}
		_, err = admin.NewClient(pair[1]).StateHash(s.t.Context(), st.Owned[0])
		refusal, ok := errors.AsType[*admin.Refusal](err)
		if !ok || refusal.Owner != st.Instance || refusal.Address != pair[0] {
			s.t.Errorf("%s about partition %d of %s: %v", pair[1], st.Owned[0], pair[0], err)
		}
	}
}

// TestReplaySwapUnderLoad: all partitions are swapped, again and again, while events come in and coupons go out; nothing is lost or doubled.
func TestReplaySwapUnderLoad(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	address, _ := s.serveAt("a")
	loaded := make(chan int, 1)
	go func() {
		code, _, _ := start(t, s.env, "load", "synthetic", "--events", "4000", "--chains", "60", "--seed", "8", "--rate", "1000", "--json")
		loaded <- code
	}()
	s.until("facts of every partition", func() bool {
		all, err := admin.NewClient(address).Partitions(t.Context())
		return err == nil && !slices.ContainsFunc(all, func(p admin.Partition) bool { return p.State != admin.Working || p.Seq == 0 })
	})
	swaps := 0
	for code := -1; code < 0; {
		swaps += len(s.replay("--swap", "--listen", address).Partitions)
		select {
		case code = <-loaded:
			if code != exitDone {
				t.Fatalf("load ended with %d", code)
			}
		default:
		}
	}
	t.Logf("%d swaps", swaps)
	s.settled()
	s.replay("--compare", "--listen", address, "--data", filepath.Join(s.root, "tool"))
}

// TestReplayResumes: an interrupted replay goes on where it stood, a target is the last whole step at or before what was asked for, and what is wrong
// is refused in sentences.
func TestReplayResumes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, stop := s.serveAt("a")
	s.must(nil, "load", "synthetic", "--events", "3000", "--chains", "40", "--seed", "9")
	s.settled()
	stop()

	dir := filepath.Join(s.root, "into")
	written := s.interrupt(dir)
	answer := s.replay("--into", dir)
	var all, resumed int64
	for _, p := range answer.Partitions {
		all += p.Seq
		if p.FromSeq != written[p.Partition] || p.Facts != p.Seq-p.FromSeq {
			t.Errorf("partition %d: from seq %d, %d facts to seq %d; it stood at %d", p.Partition, p.FromSeq, p.Facts, p.Seq, written[p.Partition])
		}
		resumed += p.FromSeq
	}
	if resumed == 0 || answer.Facts != all-resumed {
		t.Errorf("%d facts folded of %d, %d were there", answer.Facts, all, resumed)
	}

	if again := s.replay("--into", dir); again.Facts != 0 || again.CPU != 0 {
		t.Errorf("%d facts folded once more, %.0f us of CPU for each", again.Facts, again.CPU)
	}

	last := answer.Partitions[3]
	middle := last.Seq / 2 // less than it holds: it begins anew
	half := s.replay("--into", dir, "--partitions", "3", "--to-seq", strconv.FormatInt(middle, 10))
	if at := half.Partitions[0]; at.Seq > middle || at.Seq == 0 || at.FromSeq != 0 {
		t.Errorf("to seq %d of %d: %+v", middle, last.Seq, at)
	}
	half = s.replay("--into", dir, "--partitions", "3", "--to-time", time.Now().Add(time.Hour).Format(time.RFC3339))
	if at := half.Partitions[0]; at.Seq != last.Seq || at.Hash != last.Hash {
		t.Errorf("to a time after the end: %+v, want %+v", at, last)
	}
	half = s.replay("--into", dir, "--partitions", "3", "--to-time", "2001-01-01T00:00:00Z")
	if at := half.Partitions[0]; at.Seq != 0 {
		t.Errorf("to a time before the start: %+v", at)
	}
	s.refused("--to-seq and --to-time", "replay", "--to-seq", "3", "--to-time", "2026-01-01T00:00:00Z")
	s.refused("is not a partition 0..15", "replay", "--partitions", "2-16")
	s.refused("no instance answers", "replay", "--compare", "--listen", "127.0.0.1:1", "--data", filepath.Join(s.root, "nothing"))
	if _, err := os.Stat(filepath.Join(s.root, "nothing", "STORE")); err == nil {
		t.Error("a comparison made a data directory")
	}
}

// interrupt ends a replay after a few writes and says up to where each partition is written.
func (s *stage) interrupt(dir string) map[int32]int64 {
	s.t.Helper()
	log, err := topiclog.Dial(s.t.Context(), topiclog.Config{Brokers: s.brokers, Prefix: s.prefix, FetchBytes: 8 << 10})
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	store, err := eventstore.Open(eventstore.Config{Dir: dir, Partitions: partitions})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	var mu sync.Mutex
	written, writes := map[int32]int64{}, 0
	all := make([]int32, partitions)
	for p := range all {
		all[p] = int32(p)
	}
	_, err = replay.NewEngine(replay.Config{Log: log, Store: store, Dir: dir, Partitions: all, BatchFacts: 50, Wrote: func(p int32, seq int64) {
		mu.Lock()
		defer mu.Unlock()
		written[p] = seq
		if writes++; writes == 5 {
			cancel()
		}
	}}).Run(ctx)
	if !errors.Is(err, context.Canceled) {
		s.t.Fatalf("the replay was not interrupted: %v", err)
	}
	if err := store.Close(); err != nil {
		s.t.Fatal(err)
	}
	return written
}
