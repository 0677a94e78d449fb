//go:build synctests

package sim

import (
	"context"
	"sync"
	"time"

	"hongbao/fsm"
)

// issuer is the world outside, shared by all processes: the model of the conformance suite, and a book of who asked what when.
type issuer struct {
	s     *sim
	inner *fsm.MemoryIssuer
	mu    sync.Mutex
	asked []asking
	given map[fsm.Key]int // successful effects
}

// asking is one request that the issuer heard.
type asking struct {
	key       fsm.Key
	who       string
	committed [partitions]int64 // seqs that Kafka had committed then
	at        time.Time
}

func newIssuer(s *sim) *issuer {
	inner, err := fsm.NewMemoryIssuer(partitions)
	s.must(err)
	return &issuer{s: s, inner: inner, given: map[fsm.Key]int{}}
}

// of is the issuer as one life of a process reaches it.
func (i *issuer) of(l *life) *issuerPort { return &issuerPort{MemoryIssuer: i.inner, all: i, life: l} }

type issuerPort struct {
	*fsm.MemoryIssuer
	all  *issuer
	life *life
}

// Issue is part of fsm.Issuer.
func (p *issuerPort) Issue(ctx context.Context, requests []fsm.Request, results []fsm.Result) error {
	p.all.note(p.life.of.name, requests)
	return p.MemoryIssuer.Issue(ctx, requests, results)
}

func (i *issuer) note(who string, requests []fsm.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	committed := i.s.watch.seqs()
	for k := range requests {
		i.asked = append(i.asked, asking{key: requests[k].Key(), who: who, committed: committed, at: time.Now()})
	}
}
