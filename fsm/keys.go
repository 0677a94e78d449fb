package fsm

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"hongbao/schemas"
)

// Answers are kept in hashes of a few hundred entries, because Redis stores a hash of
// up to 512 in one flat block: 19 bytes an answer instead of some 110 for a key of
// its own. 2^14 hashes stay flat up to eight million coupons of a campaign.
const (
	shardBits = 14
	shards    = 1 << shardBits
)

// keys are the names of everything of the issuer in Redis. All carry one hash tag,
// so that a script may touch any of them.
type keys struct {
	tag   string // "{hongbao}:i:"
	epoch string
	rate  string
}

func newKeys(prefix string) (keys, error) {
	if prefix == "" {
		prefix = "hongbao"
	}
	if strings.ContainsAny(prefix, "{} \r\n") {
		return keys{}, fmt.Errorf("Redis key prefix %q: must hold no brace, space or line end, for it is the hash tag of every key", prefix)
	}
	tag := "{" + prefix + "}:i:"
	return keys{tag: tag, epoch: tag + "epoch", rate: tag + "rate"}, nil
}

// campaign is the key of a campaign's stock and budget.
func (k *keys) campaign(id int64) string {
	return k.tag + "c:" + strconv.FormatInt(id, 10)
}

// answers is the key of the hash that remembers a coupon's answers.
func (k *keys) answers(campaign int64, shard uint16) string {
	return k.tag + "a:" + strconv.FormatInt(campaign, 10) + ":" + strconv.FormatInt(int64(shard), 32)
}

func shardOf(id *schemas.CouponID) uint16 {
	return binary.BigEndian.Uint16(id[:2]) >> (16 - shardBits)
}

// appendField appends a key's field in its hash: the id without the first byte, which
// the shard tells, then the round where it is not 0.
func appendField(dst []byte, id *schemas.CouponID, round int32) []byte {
	dst = append(dst, id[1:]...)
	if round != 0 {
		dst = binary.AppendVarint(dst, int64(round))
	}
	return dst
}

// parseField is the reverse of appendField.
func parseField(shard uint16, field string) (id schemas.CouponID, round int32, err error) {
	if len(field) < len(id)-1 {
		return id, 0, fmt.Errorf("answer field %x in shard %d: must be 15 bytes of id and a round", field, shard)
	}
	binary.BigEndian.PutUint16(id[:2], shard<<(16-shardBits))
	n := copy(id[1:], field)
	if rest := field[n:]; rest != "" {
		r, size := binary.Varint([]byte(rest))
		if size != len(rest) || r == 0 || r < math.MinInt32 || r > math.MaxInt32 {
			return id, 0, fmt.Errorf("answer field %x in shard %d: the round after the id must be a varint of 32 bits, not 0", field, shard)
		}
		round = int32(r)
	}
	return id, round, nil
}
