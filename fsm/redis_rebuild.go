package fsm

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// restoreBatch bounds how long one script holds Redis: about a millisecond.
const restoreBatch = 500

// batch collects the keys and arguments of issue and restore.
type batch struct {
	names     *keys
	campaigns []string
	index     map[int64]int
	hashes    []string
	args      []any
	field     []byte
}

// newBatch takes what the script's arguments begin with.
func newBatch(k *keys, n int, first ...any) *batch {
	return &batch{
		names: k, index: make(map[int64]int, 1), hashes: make([]string, 0, n),
		args: append(make([]any, 0, 1+6*n), first...), field: make([]byte, 0, 16*n),
	}
}

func (b *batch) add(k Key, rest ...any) {
	at, ok := b.index[k.Campaign]
	if !ok {
		b.campaigns = append(b.campaigns, b.names.campaign(k.Campaign))
		at = len(b.campaigns) + 1 // in Lua's counting, after the epoch
		b.index[k.Campaign] = at
	}
	b.hashes = append(b.hashes, b.names.answers(k.Campaign, shardOf(&k.ID)))
	start := len(b.field)
	b.field = appendField(b.field, &k.ID, k.Round)
	b.args = append(append(b.args, at, b.field[start:]), rest...)
}

func (b *batch) keys() []string {
	all := make([]string, 0, 1+len(b.campaigns)+len(b.hashes))
	return append(append(append(all, b.names.epoch), b.campaigns...), b.hashes...)
}

// Missing keeps Stock's contract.
func (r *RedisIssuer) Missing(ctx context.Context) ([]int32, error) {
	fields, err := r.missing.Run(ctx, r.client, []string{r.keys.epoch}).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("ask which partitions are rebuilt in Redis: %w", err)
	}
	var missing []int32
	for p := range r.partitions {
		if !slices.Contains(fields, strconv.Itoa(int(p))) {
			missing = append(missing, p)
		}
	}
	if want := int(r.partitions) + 2; len(missing) == 0 && len(fields) != want {
		return nil, fmt.Errorf("%s names %d partitions, this process has %d: all must run with one partition count", r.keys.epoch, len(fields)-2, r.partitions)
	}
	return missing, nil
}

// Rebuild keeps Stock's contract. ErrNotRebuilt: Redis was emptied, restarted or
// failed over meanwhile; declare and begin again.
func (r *RedisIssuer) Rebuild(ctx context.Context, partition int32, each func(yield func(Remembered) error) error) (Rebuilt, error) {
	var sum Rebuilt
	if partition < 0 || partition >= r.partitions {
		return sum, fmt.Errorf("rebuild partition %d: there are %d", partition, r.partitions)
	}
	token, err := r.begin.Run(ctx, r.client, []string{r.keys.epoch}, newToken()).Text()
	if err != nil {
		return sum, fmt.Errorf("rebuild partition %d: begin: %w", partition, err)
	}
	b := newBatch(&r.keys, restoreBatch)
	err = each(func(m Remembered) error {
		if err := checkRemembered(&m); err != nil {
			return err
		}
		b.add(m.Key, digitOf(m.Answer), m.Kind, m.ValueMinor, m.Currency)
		if len(b.hashes) < restoreBatch {
			return nil
		}
		full := b
		b = newBatch(&r.keys, restoreBatch)
		return r.send(ctx, full, &sum)
	})
	if err == nil {
		err = r.send(ctx, b, &sum)
	}
	if err != nil {
		return sum, fmt.Errorf("rebuild partition %d: %w", partition, err)
	}
	marked, err := r.mark.Run(ctx, r.client, []string{r.keys.epoch}, token, partition).Bool()
	if err != nil {
		return sum, fmt.Errorf("rebuild partition %d: end: %w", partition, err)
	}
	if !marked {
		return sum, fmt.Errorf("rebuild partition %d: Redis began another life meanwhile: %w", partition, ErrNotRebuilt)
	}
	return sum, nil
}

func (r *RedisIssuer) send(ctx context.Context, b *batch, sum *Rebuilt) error {
	if len(b.hashes) == 0 {
		return nil
	}
	reply, err := r.restore.Run(ctx, r.client, b.keys(), b.args...).Int64Slice()
	if err != nil {
		return err
	}
	if len(reply) != 2 {
		return fmt.Errorf("Redis answered %v, not restored and contradicted", reply)
	}
	sum.Answers += int64(len(b.hashes))
	sum.Restored += reply[0]
	sum.Contradicted += reply[1]
	return nil
}

// Counts reads what Redis knows of a campaign, kinds and currencies in order of name.
func (r *RedisIssuer) Counts(ctx context.Context, campaign int64) (Counts, error) {
	fields, err := r.client.HGetAll(ctx, r.keys.campaign(campaign)).Result()
	if err != nil {
		return Counts{}, fmt.Errorf("count campaign %d: %w", campaign, err)
	}
	l := newLedger()
	for field, text := range fields {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Counts{}, fmt.Errorf("count campaign %d: field %q is %q, not a number", campaign, field, text)
		}
		l.set(field, n)
	}
	return l.counts(), nil
}

// Each calls fn with every answer that Redis remembers of a campaign, hash by hash,
// in no promised order. An answer written meanwhile may or may not be among them.
func (r *RedisIssuer) Each(ctx context.Context, campaign int64, fn func(Key, Answer) error) error {
	const atOnce = 512
	for from := uint16(0); from < shards; from += atOnce {
		pipe := r.client.Pipeline()
		cmds := make([]*redis.MapStringStringCmd, atOnce)
		for i := range cmds {
			cmds[i] = pipe.HGetAll(ctx, r.keys.answers(campaign, from+uint16(i)))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("read answers of campaign %d: %w", campaign, err)
		}
		for i, cmd := range cmds {
			for field, digit := range cmd.Val() {
				id, round, err := parseField(from+uint16(i), field)
				if err != nil {
					return fmt.Errorf("read answers of campaign %d: %w", campaign, err)
				}
				if len(digit) != 1 || !answerOf(digit[0]).Final() {
					return fmt.Errorf("read answers of campaign %d: coupon %x has %q, not a digit 1 to 4", campaign, id, digit)
				}
				if err := fn(Key{Campaign: campaign, ID: id, Round: round}, answerOf(digit[0])); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
