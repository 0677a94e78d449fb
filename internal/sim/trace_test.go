//go:build synctests

package sim

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"

	"github.com/zeebo/xxh3"

	"hongbao/schemas"
)

// trace is the hash of what happened: per partition, in order, facts, commands and results, then the faults that hit. Offsets,
// producers and the order of requests are not in it.
func (s *sim) trace(l *logs) string {
	h := xxh3.New()
	add := func(b []byte) {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(b))))
		_, _ = h.Write(b)
	}
	for _, t := range []schemas.Topic{schemas.TopicFacts, schemas.TopicCommands, schemas.TopicResults, schemas.TopicCouponDead, schemas.TopicInviteDead} {
		for p := range partitions {
			add([]byte{byte(t), byte(p)})
			for _, r := range l.committed[t][p] {
				add(r.Key)
				add(r.Value)
			}
		}
	}
	var hits []string
	for k, n := range s.result.Hits {
		hits = append(hits, fmt.Sprintf("%s %d", k, n))
	}
	sort.Strings(hits)
	for _, k := range hits {
		add([]byte(k))
	}
	sum := h.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}
