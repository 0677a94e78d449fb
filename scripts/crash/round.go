package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// takeoverEvery is how often, at a site with two instances, the killed one stays away until the other has its partitions.
const takeoverEvery = 12

// round makes one kill, or the few that one needs: 0 when no job is left.
func (s *site) round(ctx context.Context) (int, error) {
	j, ok := job{}, false
	for _, fits := range []func(job) bool{
		func(j job) bool { return s.death.counted || j.meetsMuch() },
		func(job) bool { return true },
	} {
		if !ok {
			j, ok = s.queue.take(func(j job) bool { return fits(j) && (!s.two || !j.alone()) })
		}
	}
	if !ok {
		return 0, nil
	}
	if !s.death.counted && !j.meetsMuch() {
		if err := s.kill(ctx, job{label: "publish.commit.before", tries: triesMax}, s.armed()); err != nil {
			return 0, err
		}
	}
	switch {
	case j.way == byBack || j.way == byEmpty:
		return s.back(ctx, j)
	case j.needsOpen():
		return s.stranger(ctx, j)
	}
	if err := s.kill(ctx, j); err != nil {
		return 0, err
	}
	if s.two && (s.o.takeovers || s.rng.IntN(takeoverEvery) == 0) {
		return 1, s.takeover(ctx)
	}
	return 1, nil
}

// helper is a job that fits, or one beside the queue: what leads to another kill is a kill as well.
func (s *site) helper(label string, fits func(job) bool) job {
	if j, ok := s.queue.take(fits); ok {
		return j
	}
	return job{label: label, way: wayOf(label), tries: triesMax}
}

func leavesTail(j job) bool {
	return j.label == "publish.offsets.before" || j.label == "publish.offsets.after" || j.label == "publish.produce.after" || j.label == "publish.commit.before"
}

func leavesOpen(j job) bool { return leavesTail(j) && j.label != "publish.offsets.before" }

func isFresh(j job) bool { return j.way == byFresh && !j.needsOpen() }

const (
	noCheckpoints   = "HONGBAO_CRASH_CHECKPOINT=1h"
	manyCheckpoints = "HONGBAO_CRASH_CHECKPOINT=500ms"
)

// armed makes the kill come only once every partition has moved.
func (s *site) armed() string { return "HONGBAO_CRASH_ARM=" + s.armFile() }

func (s *site) armFile() string { return filepath.Join(s.dir, "armed") }

// back gives the instance a directory whose unpublished tail another history has overtaken (X5e): killed with a tail, gone on from
// facts in a new directory, killed again, started on the first one. Each step is synced: what Pebble has not given to the system yet
// dies with the process, and a tail with it.
func (s *site) back(ctx context.Context, j job) (int, error) {
	pace := manyCheckpoints
	if j.way == byEmpty { // a young directory without a checkpoint
		pace = noCheckpoints
		s.lose()
	}
	if err := s.kill(ctx, s.helper("publish.commit.before", leavesTail), s.armed(), pace, "HONGBAO_SYNC=step"); err != nil {
		return 0, err
	}
	tail := s.data
	if err := s.kill(ctx, s.helper("store.restored.after", isFresh)); err != nil {
		return 1, err
	}
	if err := s.kill(ctx, s.helper("publish.told.after", job.meetsMuch), s.armed()); err != nil {
		return 2, err
	}
	s.data, s.older = tail, s.data
	s.death.kind = "older"
	return 4, s.kill(ctx, j)
}

// stranger makes the transaction of a killed directory block another one (X5c).
func (s *site) stranger(ctx context.Context, j job) (int, error) {
	n := 1
	if !s.death.open {
		if err := s.kill(ctx, s.helper("publish.produce.after", leavesOpen)); err != nil {
			return 0, err
		}
		n++
	}
	s.lose()
	return n, s.kill(ctx, j)
}

// lose takes the data directory away.
func (s *site) lose() {
	s.older, s.data = s.data, s.newDir()
	s.death.kind = "rebuilt"
}

// waitMoved waits for the recovery from the last kill.
func (s *site) waitMoved(ctx context.Context, a *instance) error {
	ctx, cancel := context.WithTimeout(ctx, movePatience)
	defer cancel()
	go func() {
		select {
		case <-a.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if !s.recovered(ctx) {
		return fmt.Errorf("not every partition moved within %s of the last kill (%s); instance a: %v", movePatience, s.death.kind, a.cmd.ProcessState)
	}
	return nil
}

// recovered waits until all partitions move again, and notes how long that took.
func (s *site) recovered(ctx context.Context) bool {
	if s.death.ends == nil {
		s.death.ends = make([]int64, partitions)
	}
	first, all, ok := s.watch.moved(ctx, s.death.ends)
	if ok && !s.death.at.IsZero() {
		s.tally.recovered(s.death.kind, first.Sub(s.death.at), all.Sub(s.death.at))
		s.death.at = time.Time{}
	}
	return ok
}

// died notes a kill.
func (s *site) died(ctx context.Context, a *instance, counted, open bool) {
	s.death = death{at: a.at, ends: s.watch.ends(ctx), counted: counted, open: open, kind: "restart"}
}

// kill starts the instance with a label, sees to it that it comes there, and waits for its end.
func (s *site) kill(ctx context.Context, j job, env ...string) error {
	if err := s.prepare(ctx, j); err != nil {
		return err
	}
	n := j.count(s.rng)
	_ = os.Remove(s.armFile()) // it may not be there
	a, err := s.start("a", s.data, append(env, fmt.Sprintf("HONGBAO_CRASH=%s:%d", j.label, n))...)
	if err != nil {
		return err
	}
	before := s.death
	hit, cancel := context.WithTimeout(ctx, hitPatience)
	defer cancel()
	waiting := make(chan bool, 1)
	moving, still := context.WithCancel(hit)
	defer still()
	go func() { waiting <- s.recovered(moving) }()
	var moved bool
	select {
	case <-a.ended:
		still()
		moved = <-waiting
	case moved = <-waiting:
		if moved {
			err = s.provoke(hit, j, a, env)
		}
	}
	if err != nil {
		return err
	}
	select {
	case <-a.ended:
	case <-hit.Done():
	}
	return s.judge(ctx, j, a, n, moved, before)
}

// judge says what the end of an instance means for the job.
func (s *site) judge(ctx context.Context, j job, a *instance, n int, moved bool, before death) error {
	select {
	case <-a.ended:
	default: // it never came there
		_ = a.cmd.Process.Kill()
		<-a.ended
		s.died(ctx, a, false, false)
		s.tally.missed(j, n, moved)
		s.queue.again(j)
		return ctx.Err()
	}
	if j.way == byStop && a.stopped() {
		s.died(ctx, a, false, false)
		s.tally.missed(j, n, moved)
		s.queue.again(j)
		return nil
	}
	if !a.killed() {
		return fmt.Errorf("instance a ended by itself before %s:%d, with %s", j.label, n, a.cmd.ProcessState)
	}
	r, err := s.lastRecord(a)
	if err != nil {
		return err
	}
	counted := r.busy() || (before.counted && r.Commits == 0)
	s.died(ctx, a, counted, r.Transactions > 0)
	if before.kind != "" && before.kind != "restart" && !moved {
		s.death.kind = before.kind // what was begun then is not over
	}
	if j.way == byJoin {
		s.death.kind = "rebalance"
	}
	s.tally.killed(s, j, r, counted)
	if !counted {
		s.queue.again(j)
	}
	return s.undo(j)
}

// prepare does what a job needs before the instance starts.
func (s *site) prepare(_ context.Context, j job) error {
	switch j.way {
	case byFresh:
		s.lose()
	case byDamage:
		s.death.kind = "damaged"
		return s.damage()
	case byFlush:
		s.death.kind = "redis"
		return flush(s.parts.redis)
	case byJoin:
		return s.part()
	}
	return nil
}

// part lets the second instance go, so that it can join.
func (s *site) part() error {
	if s.second == nil {
		return nil
	}
	err := s.second.stop(20 * time.Second)
	s.second = nil
	return err
}

// provoke does what brings a running instance to the label.
func (s *site) provoke(ctx context.Context, j job, a *instance, env []string) error {
	if slices.Contains(env, s.armed()) {
		if slices.Contains(env, manyCheckpoints) {
			s.waitCheckpoints(ctx, a)
		}
		return os.WriteFile(s.armFile(), nil, 0o600)
	}
	switch j.way {
	case byStop:
		go func() { _ = a.stop(hitPatience) }()
	case byJoin:
		var err error
		s.second, err = s.start("b", filepath.Join(s.dir, "data-b"))
		return err
	}
	return nil
}

// waitCheckpoints waits until every partition that the instance has open has a checkpoint to go back to.
func (s *site) waitCheckpoints(ctx context.Context, a *instance) {
	for ctx.Err() == nil {
		open, _ := filepath.Glob(filepath.Join(s.data, "p*", "live-*")) // the pattern is well formed
		marked := 0
		for _, live := range open {
			if marks, _ := filepath.Glob(filepath.Join(filepath.Dir(live), "at-*")); len(marks) > 0 {
				marked++
			}
		}
		if marked == len(open) {
			return
		}
		select {
		case <-ctx.Done():
		case <-a.ended:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// undo leaves the site as it was.
func (s *site) undo(j job) error {
	if j.way == byJoin && !s.two {
		return s.part()
	}
	return nil
}

// takeover leaves the killed instance away until the other one moves its partitions.
func (s *site) takeover(ctx context.Context) error {
	s.death.kind = "takeover"
	ctx, cancel := context.WithTimeout(ctx, movePatience)
	defer cancel()
	if !s.recovered(ctx) {
		return fmt.Errorf("the second instance did not move every partition within %s", movePatience)
	}
	s.death.counted, s.death.open = false, false // what was under way when the instance died, the other one has settled
	return nil
}

// damagedAtOnce is how many partitions a bad disk hits.
const damagedAtOnce = 4

// damage spoils the manifests of some partitions, as a disk may.
func (s *site) damage() error {
	open, err := filepath.Glob(filepath.Join(s.data, "p*", "live-*"))
	if err != nil {
		return err
	}
	s.rng.Shuffle(len(open), func(a, b int) { open[a], open[b] = open[b], open[a] })
	for _, dir := range open[:min(len(open), damagedAtOnce)] {
		names, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
		if err != nil {
			return err
		}
		for _, name := range names {
			text := make([]byte, 200)
			for i := range text {
				text[i] = byte(s.rng.IntN(256)) //nolint:gosec // below 256
			}
			if err := os.WriteFile(name, text, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// verify runs the program's own audit.
func (s *site) verify(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.o.binary, append([]string{"verify", "--json"}, args...)...) //nolint:gosec // the program under test
	cmd.Env = s.env("verify", s.data)
	var out, bad strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err := cmd.Run(); err != nil {
		return out.String(), errors.Join(err, errors.New(bad.String()))
	}
	return out.String(), nil
}
