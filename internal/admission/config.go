package admission

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// Config is everything a Gate needs. Zero fields take the defaults named.
type Config struct {
	// Redis says where Redis is and how to talk to it: address, ACL user, password, TLS. The gate
	// takes a copy and turns the client's own retries off. Ignored when Memory is set.
	Redis *redis.Options
	// Memory, when set, answers in Redis's place. Gates of one fleet share one Memory.
	Memory *Memory
	// Prefix is the hash tag of every key: {Prefix}. It must not contain braces.
	Prefix string
	// Partitions is the number of partitions of invite.events, fleet-wide.
	Partitions int32
	// Limit is the share limit. Default 5 per hour.
	Limit Limit
	// BatchMax bounds the asks of one round trip. Default and maximum 2,000.
	BatchMax int
	// Poll is how often an idle gate looks at the epoch. Default 200 ms.
	Poll time.Duration
	// BackoffMax caps the wait between attempts while Redis does not answer; the wait begins at a
	// thirtieth of it and doubles, with jitter. Default 1 s.
	BackoffMax time.Duration
	// Now is the clock that names recent shares at a rebuild. Default time.Now.
	Now func() time.Time
	// Rand gives epoch nonces and jitter. Default: seeded by the runtime.
	Rand *rand.Rand
	// Logger gets one line per change of state. Default: discard.
	Logger *slog.Logger
}

// Validate fills in defaults and refuses in sentences.
func (c *Config) Validate() error {
	var errs []error
	if c.Redis == nil && c.Memory == nil {
		errs = append(errs, errors.New("admission: neither Redis nor Memory is given: claims need one of them"))
	}
	for i := range len(c.Prefix) {
		if c.Prefix[i] == '{' || c.Prefix[i] == '}' {
			errs = append(errs, fmt.Errorf("admission: prefix %q contains a brace: it is the hash tag of every key", c.Prefix))
			break
		}
	}
	if c.Prefix == "" {
		errs = append(errs, errors.New("admission: prefix is empty: an empty hash tag is none"))
	}
	if c.Partitions < 1 || c.Partitions > partitionsMax {
		errs = append(errs, fmt.Errorf("admission: partitions is %d: 1 to %d are possible", c.Partitions, partitionsMax))
	}
	if c.Limit.Count < 0 || c.Limit.WindowMS < 0 {
		errs = append(errs, fmt.Errorf("admission: share limit %d per %d ms: both must be positive", c.Limit.Count, c.Limit.WindowMS))
	}
	if c.BatchMax < 0 || c.BatchMax > batchMax {
		errs = append(errs, fmt.Errorf("admission: batch max is %d: 1 to %d are possible", c.BatchMax, batchMax))
	}
	c.defaults()
	return errors.Join(errs...)
}

func (c *Config) defaults() {
	if c.Limit.Count == 0 {
		c.Limit.Count = 5
	}
	if c.Limit.WindowMS == 0 {
		c.Limit.WindowMS = time.Hour.Milliseconds()
	}
	if c.BatchMax == 0 {
		c.BatchMax = batchMax
	}
	if c.Poll == 0 {
		c.Poll = 200 * time.Millisecond
	}
	if c.BackoffMax == 0 {
		c.BackoffMax = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// partitionsMax is what two bytes of a claim can name.
const partitionsMax = 1 << 16

// batchMax keeps a script's argument list below what Lua can unpack (about 8,000).
const batchMax = 2000
