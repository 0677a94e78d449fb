package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strconv"

	"hongbao/eventstore"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// Sizes of the two measurements in memory.
const (
	edgesMeasured   = 5_000_000
	foldWarmup      = 300_000 // events before allocations are counted: tables have grown, caches are warm
	foldMeasured    = 300_000
	sharersPerCent  = 18 // of the members of the real cascades share in turn
	edgesPerFlush   = 1_000_000
	benchNowMS      = 1_790_000_000_000
	benchCodeEndS   = 4_000_000_000
	factArenaEvents = 500 // events whose facts share an arena, as in a step
)

// measureMemory measures what needs no Kafka: bytes per edge of the hot graph, allocations on the fold path.
func (a *pipelineAnswer) measureMemory(b *bench) error {
	var err error
	if a.BytesPerEdge, err = bytesPerEdge(filepath.Join(b.dir, "graph"), b.seed); err != nil {
		return err
	}
	a.AllocsPerEvent, err = b.allocsPerEvent()
	return err
}

// nothing is a store that holds nothing, and a writer that forgets.
type nothing struct{}

func (nothing) Get(projections.Space, []byte, []byte) ([]byte, bool, error) { return nil, false, nil }

func (nothing) Scan(projections.Space, []byte, func(k, v []byte) error) error {
	return nil
}
func (nothing) Set(projections.Space, []byte, []byte) {}
func (nothing) Delete(projections.Space, []byte)      {}

// kept is a real store of one partition: pages that leave memory are read back from it.
type kept struct {
	*eventstore.Partition
	batch *eventstore.Batch
}

func (k *kept) Get(space projections.Space, key, dst []byte) ([]byte, bool, error) {
	return k.Partition.Get(byte(space), key, dst)
}

func (k *kept) Scan(space projections.Space, prefix []byte, fn func(key, value []byte) error) error {
	return k.Partition.Scan(byte(space), prefix, fn)
}

func (k *kept) Set(space projections.Space, key, value []byte) { k.batch.Set(byte(space), key, value) }
func (k *kept) Delete(space projections.Space, key []byte)     { k.batch.Delete(byte(space), key) }

// flush writes the state as a restore does: there is no outbox here.
func (k *kept) flush(s *projections.State) error {
	k.batch = k.Begin()
	k.batch.Boundary(eventstore.Boundary{Seq: s.Seq()})
	if err := s.Flush(k); err != nil {
		return err
	}
	if err := k.batch.CommitRestored(); err != nil {
		return err
	}
	s.Evict()
	return nil
}

// openBenchState is an empty partition with the bench's campaign in force.
func openBenchState(store projections.Store) (*projections.State, error) {
	s, err := projections.Open(store, projections.Config{})
	if err != nil {
		return nil, err
	}
	c, err := schemas.ParseCampaign("bench_campaign.yaml", benchCampaign)
	if err != nil {
		return nil, err
	}
	f := schemas.Fact{Seq: 1, Kind: schemas.FactCampaignActivated, Rare: &pb.Fact{Seq: 1, Body: &pb.Fact_CampaignActivated{
		CampaignActivated: &pb.CampaignActivated{Campaign: c.ID, Version: c.Version, Sha256: c.SHA256[:], Text: string(c.Text)},
	}}}
	return s, s.Fold(&f)
}

// edges grows invite graphs of random 63-bit ids, one share per inviter, in as many states as there are partitions.
type edges struct {
	states  [partitions]*projections.State
	seqs    [partitions]int64
	stores  [partitions]*kept
	sharers [partitions][][2]int64 // user, chain
	rng     *rand.Rand
	event   schemas.Event
	fact    schemas.Fact
	id      []byte
	n       int64
}

// bytesPerEdge is (heap after GC with the graphs - heap after GC without them) / edges: id index, members,
// inviters with their counters, shares and chains included. What is on disk, in dir, is not.
func bytesPerEdge(dir string, seed uint64) (_ float64, err error) {
	store, err := eventstore.Open(eventstore.Config{Dir: dir, Partitions: partitions})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	g := &edges{rng: rand.New(rand.NewPCG(seed, 1))}
	for i := range g.states {
		p, err := store.Partition(int32(i))
		if err != nil {
			return 0, err
		}
		g.stores[i], g.seqs[i] = &kept{Partition: p}, 1
		if g.states[i], err = openBenchState(g.stores[i]); err != nil {
			return 0, err
		}
	}
	for i := range edgesMeasured {
		if err := g.grow(i % partitions); err != nil {
			return 0, err
		}
		if i%edgesPerFlush == edgesPerFlush-1 {
			if err := g.flush(); err != nil {
				return 0, err
			}
		}
	}
	g.sharers = [partitions][][2]int64{}
	with := heapBytes()
	g.states = [partitions]*projections.State{}
	return float64(with-heapBytes()) / edgesMeasured, nil
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far below 2^63
}

func (g *edges) grow(p int) error {
	if len(g.sharers[p]) == 0 || g.rng.IntN(50) == 0 {
		seed := g.rng.Int64()>>1 | 1
		if err := g.put(p, schemas.EventShare, seed, 0, seed); err != nil {
			return err
		}
		g.sharers[p] = append(g.sharers[p], [2]int64{seed, seed})
	}
	by := g.sharers[p][g.rng.IntN(len(g.sharers[p]))]
	user := g.rng.Int64()>>1 | 1
	if err := g.put(p, schemas.EventJoin, user, by[0], by[1]); err != nil {
		return err
	}
	if g.rng.IntN(100) >= sharersPerCent {
		return nil
	}
	g.sharers[p] = append(g.sharers[p], [2]int64{user, by[1]})
	return g.put(p, schemas.EventShare, user, 0, by[1])
}

func (g *edges) put(p int, kind schemas.EventKind, user, inviter, chain int64) error {
	g.n++
	g.id = strconv.AppendInt(g.id[:0], g.n, 10)
	g.event = schemas.Event{
		Kind: kind, Source: []byte("bench"), ID: g.id, TimeMS: benchNowMS, Offset: g.n, Campaign: 1, Chain: chain,
		User: user, Inviter: inviter, Code: schemas.CodeGood, CodeExpiresS: benchCodeEndS,
	}
	g.seqs[p]++
	outcome := g.states[p].Decide(&g.event, projections.Answer{Claim: projections.Yes, Share: projections.Yes}, &g.fact.Verdict)
	if outcome != projections.Accept {
		return fmt.Errorf("edge %d of the memory measurement got outcome %d (%s): %w", g.n, outcome, g.fact.Verdict.Reason, g.states[p].Err())
	}
	g.fact.Kind, g.fact.Rare, g.fact.Seq = outcome.Kind(), nil, g.seqs[p]
	return g.states[p].Fold(&g.fact)
}

func (g *edges) flush() error {
	for i, s := range g.states {
		if err := g.stores[i].flush(s); err != nil {
			return err
		}
	}
	return nil
}
