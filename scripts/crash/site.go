package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hongbao/internal/topiclog"
)

// Patience of a site.
const (
	hitPatience   = 20 * time.Second
	movePatience  = 60 * time.Second
	drainPatience = 150 * time.Second
)

// site is one broker and Redis, the instances on it, and what they go through.
type site struct {
	o     *options
	n     int
	dir   string
	rng   *rand.Rand
	queue *queue
	tally *tally

	parts *parts
	proxy *proxy
	log   *topiclog.Client
	watch *watch

	data   string // the victim's directory
	older  string // one that was taken away from it
	dirs   int
	second *instance // nil: the site has one
	two    bool
	sync   string // when steps reach the disk

	death death
}

// death is the last kill, while nothing has moved since.
type death struct {
	at      time.Time
	ends    []int64
	counted bool
	open    bool   // it left a transaction open
	kind    string // of the recovery that follows
}

// live builds the site, kills until its share is done, drains and verifies.
func (s *site) live(ctx context.Context) (err error) {
	if err := s.build(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.tearDown(err != nil)) }()
	loading, endLoad := context.WithCancel(ctx)
	defer endLoad()
	l, err := newLoad(ctx, s.log, s.rng.Uint64())
	if err != nil {
		return err
	}
	watching, endWatch := context.WithCancel(ctx)
	done, loaded := make(chan struct{}), make(chan error, 1)
	go func() { s.watch.run(watching); close(done) }()
	go func() { loaded <- l.run(loading) }()
	go s.spoil(loading)
	defer func() { endWatch(); <-done; s.tally.stalled(s.watch.stall()) }()

	for kills := 0; kills < s.o.siteKills && ctx.Err() == nil; {
		n, err := s.round(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		kills += n
	}
	return s.finish(ctx, func() error { endLoad(); return <-loaded })
}

func (s *site) build(ctx context.Context) error {
	s.dir = filepath.Join(s.o.work, fmt.Sprintf("site%d", s.n))
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return err
	}
	for name, text := range map[string]string{"keys.yaml": keyFile, "campaign.yaml": campaignFile, "crash.log": ""} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	var err error
	if s.parts, err = startParts(filepath.Join(s.dir, "broker"), s.n); err != nil {
		return err
	}
	if s.proxy, err = startProxy(s.parts.redis); err != nil {
		return err
	}
	if s.log, err = topiclog.Dial(ctx, topiclog.Config{Brokers: []string{s.parts.brokers}, Prefix: s.parts.prefix}); err != nil {
		return err
	}
	if _, err := s.log.Create(ctx, topiclog.Options{Partitions: partitions, Dev: true}); err != nil {
		return err
	}
	s.watch = newWatch(s.log)
	s.data = s.newDir()
	if s.two {
		s.second, err = s.start("b", filepath.Join(s.dir, "data-b"))
	}
	return err
}

func (s *site) newDir() string {
	s.dirs++
	return filepath.Join(s.dir, fmt.Sprintf("data-a%d", s.dirs))
}

func (s *site) tearDown(failed bool) error {
	var errs []error
	if s.second != nil {
		_ = s.second.cmd.Process.Kill()
		<-s.second.ended
	}
	if s.log != nil {
		if s.parts.cmd == nil {
			_ = s.log.Remove(context.Background()) // the next site has other topics
		}
		s.log.Close()
	}
	s.proxy.close()
	errs = append(errs, s.parts.stop())
	if !failed {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// spoil lets answers of the issuer get lost now and then.
func (s *site) spoil(ctx context.Context) {
	for {
		for _, faulty := range []bool{false, true} {
			s.proxy.faulty.Store(faulty)
			wait := 4 * time.Second
			if faulty {
				wait = 300 * time.Millisecond
			}
			select {
			case <-ctx.Done():
				s.proxy.faulty.Store(false)
				return
			case <-time.After(wait):
			}
		}
	}
}

// finish lets everything that is under way end, and sees that nothing is broken.
func (s *site) finish(ctx context.Context, endLoad func() error) error {
	a, err := s.start("a", s.data)
	if err != nil {
		return err
	}
	defer func() {
		_ = a.cmd.Process.Kill()
		<-a.ended
	}()
	if err := s.waitMoved(ctx, a); err != nil {
		return err
	}
	if err := endLoad(); err != nil {
		return fmt.Errorf("the load: %w", err)
	}
	deadline := time.Now().Add(drainPatience)
	for {
		out, err := s.verify(ctx)
		if err == nil {
			break
		}
		if strings.Contains(out, `"broken_total":0`) && time.Now().Before(deadline) && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Second):
			}
			continue
		}
		return fmt.Errorf("verify: %w: %.3000s", err, out)
	}
	for name, i := range map[string]*instance{"a": a, "b": s.second} {
		if i == nil {
			continue
		}
		if err := i.stop(20 * time.Second); err != nil {
			return fmt.Errorf("instance %s at the end: %w", name, err)
		}
	}
	out, err := s.verify(ctx, "--stock")
	if err != nil {
		return fmt.Errorf("verify --stock: %w: %.3000s", err, out)
	}
	s.tally.verified(out)
	return nil
}
