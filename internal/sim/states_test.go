//go:build synctests

package sim

import (
	"errors"
	"fmt"
	"strings"

	"hongbao/eventstore"
	"hongbao/projections"
	"hongbao/schemas"
)

// checkStates is I6: what a worker had in its store when it rested is a fold of the facts from zero, and of the step
// that the metadata names.
func (s *sim) checkStates(l *logs, owners [partitions]*instance) {
	stores := map[*instance]*eventstore.Store{}
	defer func() {
		for _, st := range stores {
			_ = st.Close()
		}
	}()
	for p := range int32(partitions) {
		i := owners[p]
		if i == nil || i.life.dead.Load() || s.expected.stops[p] {
			continue
		}
		if stores[i] == nil {
			st, err := eventstore.Open(eventstore.Config{
				Dir: "data", FS: i.disk.FS(), Partitions: partitions, CacheBytes: 1 << 20, MemTableBytes: 1 << 20, Logger: s.log,
				Fatal: func(error) {},
			})
			if err != nil {
				s.fail("I6", "the data directory of %s does not open: %v", i.name, err)
				return
			}
			stores[i] = st
		}
		if err := s.checkState(l, stores[i], p, i.name); errors.Is(err, eventstore.ErrCorrupt) && i.flippedUnread(p) {
			s.reach("bit flip that nobody had read") // the next process would meet it, and restore the partition from facts
		} else if err != nil {
			s.fail("I6", "partition %d of %s: %v", p, i.name, err)
		}
	}
}

// flippedUnread says that a bit is turned in the directory of partition p, and that nobody has read it.
func (i *instance) flippedUnread(p int32) bool {
	if i.flipped == nil || i.flipped.read || !strings.HasPrefix(i.flipped.path, fmt.Sprintf("data/p%03d/", p)) {
		return false
	}
	_, err := i.disk.FS().Stat(i.flipped.path)
	return err == nil
}

func (s *sim) checkState(l *logs, st *eventstore.Store, p int32, who string) error {
	part, err := st.Partition(p)
	if err != nil {
		return err
	}
	defer func() { _ = part.Close() }()
	live, err := projections.Open(storeReader{part}, projections.Config{Campaigns: s.texts})
	if err != nil {
		return err
	}
	fold, err := projections.Open(nothing{}, projections.Config{Campaigns: s.texts})
	if err != nil {
		return err
	}
	var f schemas.Fact
	for i := range l.facts[p] {
		if l.facts[p][i].Seq > part.NodesSeq() {
			break
		}
		if err := f.Decode(l.facts[p][i].rec.Value); err != nil {
			return err
		}
		if err := fold.Fold(&f); err != nil {
			return fmt.Errorf("fold seq %d: %w", f.Seq, err)
		}
	}
	a, err := live.Hash()
	if err != nil {
		return err
	}
	b, err := fold.Hash()
	if err != nil {
		return err
	}
	if a != b {
		s.fail("I6", "partition %d of %s at seq %d: the state's hash is %x, a fold of the facts from zero has %x", p, who, part.NodesSeq(), a, b)
	}
	if m, ok := readMetadata(l.commits[p].Metadata); ok {
		last := part.Last()
		if last.Seq != m.seq || string(last.Hash[:]) != m.hash || part.NodesSeq() != m.seq {
			s.fail("I6", "partition %d of %s rests at seq %d hash %x (nodes %d), the metadata names seq %d hash %x", p, who, last.Seq, last.Hash, part.NodesSeq(), m.seq, m.hash)
		}
	}
	return nil
}

type storeReader struct{ p *eventstore.Partition }

func (r storeReader) Get(space projections.Space, key, dst []byte) ([]byte, bool, error) {
	return r.p.Get(byte(space), key, dst)
}

func (r storeReader) Scan(space projections.Space, prefix []byte, fn func(key, value []byte) error) error {
	return r.p.Scan(byte(space), prefix, fn)
}

// nothing is an empty store: the fold stays in memory.
type nothing struct{}

func (nothing) Get(projections.Space, []byte, []byte) ([]byte, bool, error) { return nil, false, nil }

func (nothing) Scan(projections.Space, []byte, func(key, value []byte) error) error { return nil }
