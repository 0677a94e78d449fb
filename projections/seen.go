package projections

import (
	"bytes"
	"errors"
	"slices"

	"github.com/zeebo/xxh3"
)

// seenKeepMS is how long the ids of control commands are remembered, by the worker clock: as long
// as hongbao.control keeps its records and longer.
const seenKeepMS = 30 * dayMS

// seenDropMax bounds what one flush drops.
const seenDropMax = 1024

// see remembers a command id from now on.
func (s *State) see(commandID string) {
	if commandID != "" {
		s.seen[xxh3.HashString128(commandID).Bytes()] = s.clockMS
	}
}

// Seen says whether a control command was answered within the last 30 days of worker clock: then
// its record is a redelivery.
func (s *State) Seen(commandID string) (bool, error) {
	id := xxh3.HashString128(commandID).Bytes()
	at, ok := s.seen[id]
	if !ok {
		s.key = append(s.key[:0], id[:]...)
		var value []byte
		if value, ok = s.get(SpaceSeen); ok && len(value) == 8 {
			at = timeOf(value)
		}
	}
	return ok && s.remembers(at), s.err
}

func (s *State) remembers(seenMS int64) bool { return s.clockMS-seenMS <= seenKeepMS }

func (s *State) flushSeen(w Writer) error {
	if err := s.dropSeen(w); err != nil { // first: what is seen again now must stay
		return err
	}
	for _, id := range sortedIDs(s.seen) {
		at := appendKey(nil, uint64(s.seen[id])) //nolint:gosec // not negative
		w.Set(SpaceSeen, id[:], at)
		w.Set(SpaceSeenTimes, append(at, id[:]...), nil)
		s.seenFromMS = min(s.seenFromMS, s.seen[id])
	}
	clear(s.seen)
	return nil
}

// sortedIDs are the keys in order: maps have none.
func sortedIDs(m map[[16]byte]int64) [][16]byte {
	ids := make([][16]byte, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// dropSeen forgets what is too old. A command seen again since has a later time in SpaceSeen.
func (s *State) dropSeen(w Writer) error {
	if s.remembers(s.seenFromMS) {
		return nil
	}
	n := 0
	next := s.clockMS
	err := s.store.Scan(SpaceSeenTimes, nil, func(key, _ []byte) error {
		id, err := idOf(key, 8)
		if err != nil {
			return err
		}
		if at := timeOf(key); s.remembers(at) || n == seenDropMax {
			next = at
			return errEnough
		}
		n++
		w.Delete(SpaceSeenTimes, key)
		s.key = append(s.key[:0], id[:]...)
		if value, ok := s.get(SpaceSeen); ok && len(value) == 8 && !s.remembers(timeOf(value)) {
			w.Delete(SpaceSeen, id[:])
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	s.seenFromMS = next
	return s.err
}
