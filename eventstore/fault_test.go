package eventstore

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// inChild runs a test of this file in a child process and gives its output: a disk that fails leaves goroutines behind.
func inChild(t *testing.T, test, value string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v", fmt.Sprint("-seed=", *seedFlag), fmt.Sprint("-storage=", *storageFlag))
	cmd.Env = append(os.Environ(), childTest+"="+value)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestFailedWrites(t *testing.T) {
	t.Parallel()
	out, err := inChild(t, "TestChildFailedWrites", "1")
	if err != nil || !strings.Contains(out, "--- PASS: TestChildFailedWrites") {
		t.Fatalf("%v\n%s", err, out)
	}
	_, said, _ := strings.Cut(out, "storage: ")
	said, _, _ = strings.Cut(said, "\n")
	t.Log("storage: " + said)
}

// TestChildFailedWrites lets the Nth write of a run fail, once or for good, for many N. Config.Fatal hears of it, and never returns; or the call
// that opens something says it; or the failure did no harm (a file that could not be removed). Never is it silent: what the disk then
// holds, with or without what was not synced, is what a crash could have left (E6).
func TestChildFailedWrites(t *testing.T) {
	if os.Getenv(childTest) == "" {
		return // it is what another test starts
	}
	t.Parallel()
	seed := max(*seedFlag, 1)
	steps, points := 60, int64(40)
	if *storageFlag {
		steps, points = 200, 800
	}
	total := (&faultRun{steps: steps}).play(t, seed).writes.Load()
	counts := map[string]int{}
	rng := rand.New(rand.NewPCG(seed, 2))
	for at := int64(1); at <= total; at += 1 + rng.Int64N(max(1, total/points)) {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
			r := &faultRun{steps: steps, at: at, once: errno == syscall.EIO, errno: errno}
			r.play(t, seed)
			r.judge(t)
			counts[r.outcome]++
		}
	}
	t.Logf("storage: %d failed writes (ENOSPC and EIO) in a run of %d operations and %d writes: %v", sumOf(counts), steps, total, counts)
	if counts["fatal"] == 0 {
		t.Error("no failure was fatal")
	}
}

// faultRun is a run whose write number `at` fails.
type faultRun struct {
	steps  int
	at     int64
	once   bool
	errno  syscall.Errno
	writes atomic.Int64

	disk    *crashDisk
	player  *player
	what    atomic.Pointer[string] // the write that failed
	outcome string
	err     error
}

func (r *faultRun) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose {
		return nil
	}
	n := r.writes.Add(1)
	if r.at == 0 || n < r.at || (r.once && n > r.at) {
		return nil
	}
	if n == r.at {
		what := fmt.Sprintf("operation %d on %s", op.Kind, op.Path)
		r.what.Store(&what)
	}
	return &os.PathError{Op: "write", Path: op.Path, Err: r.errno}
}

func (r *faultRun) String() string {
	return fmt.Sprintf("write %d (%s) fails with %v, once=%v: %s", r.at, *r.what.Load(), r.errno, r.once, r.outcome)
}

func (r *faultRun) play(t *testing.T, seed uint64) *faultRun {
	r.what.Store(new("none"))
	fatal := make(chan error, 1)
	done := make(chan error, 1)
	r.disk = &crashDisk{FS: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 1)), every: 1 << 30}
	cfg := onMem(t, errorfs.Wrap(r.disk, r))
	cfg.Sync, cfg.MemTableBytes = SyncStep, 1
	cfg.Fatal = func(err error) {
		fatal <- err
		select {} // as if the process had ended, for this goroutine
	}
	pl := newPlayer(t, seed, cfg)
	pl.started, pl.durable = r.disk.started, r.disk.durable
	r.disk.past = []*version{pl.now}
	pl.failed = func(err error) { panic(err) }
	r.player = pl
	go func() {
		defer func() {
			err, _ := recover().(error)
			done <- err
		}()
		pl.open()
		for range r.steps {
			pl.step()
		}
		pl.close()
	}()
	select {
	case r.err = <-fatal:
		r.outcome = "fatal"
	case r.err = <-done:
		r.outcome = "harmless"
		if r.err != nil {
			r.outcome = "error"
		}
	}
	return r
}

// judge opens what the disk holds. A failure in the background leaves the player going on, until its next call hears of it.
func (r *faultRun) judge(t *testing.T) {
	if r.outcome == "error" && !strings.Contains(r.err.Error(), "open partition") && r.player.store != nil {
		t.Errorf("%v: answered without ending the process: %v", r, r.err)
	}
	if r.outcome == "fatal" && (!errors.Is(r.err, ErrFatal) || !errors.Is(r.err, r.errno)) {
		t.Errorf("%v: %v", r, r.err)
	}
	for _, percent := range []int{0, 100} {
		r.disk.mu.Lock()
		fs := r.disk.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: r.disk.rng})
		past := r.disk.past
		image := crashImage{fs, r.disk.sure, len(past), percent, "the end"}
		r.disk.mu.Unlock()
		r.player.mu.Lock()
		kept := maps.Clone(r.player.kept)
		r.player.mu.Unlock()
		image.check(t, r.String(), past, kept)
	}
}

// TestFatalEndsTheProcess: without Config.Fatal the process ends with status 1 and a line in the log.
func TestFatalEndsTheProcess(t *testing.T) {
	t.Parallel()
	out, err := inChild(t, "TestChildFatalEndsTheProcess", t.TempDir())
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out, "the disk failed, the process must end") || strings.Contains(out, "alive") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestChildFatalEndsTheProcess is the child of the test above.
func TestChildFatalEndsTheProcess(t *testing.T) {
	dir := os.Getenv(childTest)
	if dir == "" {
		return // it is what another test starts
	}
	t.Parallel()
	full := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, ".log") {
			return syscall.ENOSPC
		}
		return nil
	})
	s := mustOpen(t, Config{Dir: dir, FS: errorfs.Wrap(vfs.Default, full), Partitions: 1, Sync: SyncStep, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	p := mustPartition(t, s, 0)
	commit(t, p, 1, false)
	fmt.Println("alive")
}

// TestAfterFatal: where Config.Fatal returns, nothing goes on as if nothing had been.
func TestAfterFatal(t *testing.T) {
	t.Parallel()
	cfg := onMem(t, vfs.NewMem())
	heard := 0
	cfg.Fatal = func(error) { heard++ }
	s := mustOpen(t, cfg)
	p := mustPartition(t, s, 0)
	commit(t, p, 1, true)
	first, second := s.fatal(errors.New("first")), s.fatal(errors.New("second"))
	if heard != 1 || first == nil || second.Error() != first.Error() {
		t.Errorf("heard %d times: %v, %v", heard, first, second)
	}
	_, _, getErr := p.Get(0x40, []byte("last"), nil)
	_, snapErr := p.Snapshot()
	_, partErr := s.Partition(1)
	_, rollErr := p.Rollback(1, nil)
	for i, err := range []error{
		getErr, snapErr, partErr, rollErr, p.Begin().Commit(boundaryOf('a', 2), nil, true), p.Begin().CommitNodes(),
		p.Checkpoint(1), p.Reset(), p.Entries(0, nil), p.Scan(0x40, nil, nil), s.Discard(1),
	} {
		if !errors.Is(err, ErrFatal) {
			t.Errorf("call %d: %v, want ErrFatal", i, err)
		}
	}
	mustClose(t, s)
}
