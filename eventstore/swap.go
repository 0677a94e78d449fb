package eventstore

import (
	"errors"
	"fmt"
	"os"

	"hongbao/schemas"
)

// Swap puts a copy of the state that the data directory `from` holds for partition p in place of p's own, which must not be open here; in `from` nobody
// may have it open either. A crash at any point leaves the old state or the new one (E5). Checkpoints stay: they are judged by hash when they are
// asked for. Whether the new state belongs to the history in facts is for whoever opens it to compare (X5e). ErrRefused: `from` is no data
// directory for this partition count, or has nothing for p; ErrCorrupt: it cannot be read. Both leave everything as it was.
func (s *Store) Swap(p int32, from string) error {
	if err := s.reserve(p); err != nil {
		return err
	}
	defer s.busy.Done()
	defer s.release(p)
	source, err := s.foreign(p, from)
	if err != nil {
		return fmt.Errorf("eventstore: swap partition %d: %w", p, err)
	}
	h := s.home(p)
	live, err := h.prepare()
	if err == nil {
		err = h.build(liveName(live+1), h.copyOf(source))
	}
	if errors.Is(err, ErrCorrupt) && s.dead() == nil {
		return fmt.Errorf("eventstore: swap partition %d: %w", p, err)
	}
	if err == nil {
		err = h.sweep(live + 1)
	}
	if err != nil {
		return s.fatal(fmt.Errorf("eventstore: swap partition %d: %w", p, err))
	}
	return nil
}

// foreign is the live directory of p in another data directory.
func (s *Store) foreign(p int32, dir string) (string, error) {
	path := s.fs.PathJoin(dir, storeFile)
	text, err := readSmall(s.fs, path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w: %w", path, err, ErrRefused)
	}
	id, err := parseIdentity(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if id.Partitions != s.id.Partitions {
		return "", fmt.Errorf("%s was made for %d partitions, this one for %d: a chain would change its partition: %w", dir, id.Partitions, s.id.Partitions, ErrRefused)
	}
	other := home{fs: s.fs, dir: s.fs.PathJoin(dir, partitionDir(p))}
	names, err := s.fs.List(other.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var live int64
	for _, name := range names {
		if n, ok := parseLive(name); ok {
			live = max(live, n)
		}
	}
	if live == 0 {
		return "", fmt.Errorf("%s holds nothing of partition %d: %w", dir, p, ErrRefused)
	}
	return other.path(liveName(live)), nil
}

// BoundaryHash is Partition.BoundaryHash as the snapshot has it.
func (s *Snapshot) BoundaryHash(seq int64) (h schemas.Hash, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snap == nil {
		return h, false, ErrClosed
	}
	if seq == 0 {
		return h, true, nil
	}
	b, ok, err := readBoundary(s.snap, seq)
	return b.Hash, ok, s.p.wrap("read a snapshot", err)
}
