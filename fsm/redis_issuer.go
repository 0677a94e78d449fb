package fsm

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"hongbao/schemas"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// RedisIssuer is the issuer in Redis: stock, budget and every final answer, in Lua
// scripts that each decide a whole batch. Safe for concurrent use; any number of
// processes share it through one prefix.
type RedisIssuer struct {
	client     *redis.Client
	keys       keys
	partitions int32

	issue, lookup, declare, topUp, begin, mark, missing, restore *redis.Script
}

// RedisConfig says where the issuer's memory is and who has to fill it.
type RedisConfig struct {
	Prefix     string // hash tag of every key; empty = "hongbao"
	Partitions int32  // that must have restored their answers before anything is issued
}

// NewRedisIssuer needs a client with ContextTimeoutEnabled and asks Redis nothing yet.
func NewRedisIssuer(client *redis.Client, cfg RedisConfig) (*RedisIssuer, error) {
	if err := checkClient(client); err != nil {
		return nil, err
	}
	if cfg.Partitions < 1 {
		return nil, fmt.Errorf("Redis issuer: %d partitions; must be the number of partitions of the topics", cfg.Partitions)
	}
	k, err := newKeys(cfg.Prefix)
	if err != nil {
		return nil, err
	}
	r := &RedisIssuer{client: client, keys: k, partitions: cfg.Partitions}
	for name, script := range map[string]**redis.Script{
		"issue": &r.issue, "lookup": &r.lookup, "declare": &r.declare, "topup": &r.topUp,
		"begin": &r.begin, "mark": &r.mark, "missing": &r.missing, "restore": &r.restore,
	} {
		if *script, err = loadScript(name); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func loadScript(name string) (*redis.Script, error) {
	epoch, err := luaFiles.ReadFile("lua/epoch.lua")
	if err != nil {
		return nil, err
	}
	body, err := luaFiles.ReadFile("lua/" + name + ".lua")
	if err != nil {
		return nil, err
	}
	return redis.NewScript(string(epoch) + string(body)), nil
}

// checkClient refuses a client whose calls would outlive their context: an attempt
// must end before the lease that allowed it (X11).
func checkClient(client *redis.Client) error {
	if client == nil {
		return errors.New("Redis client: none given")
	}
	if !client.Options().ContextTimeoutEnabled {
		return errors.New("Redis client: ContextTimeoutEnabled must be set, else the deadline of an attempt does not end its call (X11)")
	}
	return nil
}

// Issue keeps Issuer's contract. Every error but ErrNotRebuilt leaves Unknown:
// go-redis repeats a call by itself, so that even a refused connection may follow a
// call that arrived.
func (r *RedisIssuer) Issue(ctx context.Context, requests []Request, results []Result) error {
	if len(requests) == 0 {
		return nil
	}
	b := newBatch(&r.keys, len(requests), r.partitions)
	for i := range requests {
		q := &requests[i]
		b.add(q.Key(), q.Kind, q.ValueMinor, q.Currency)
	}
	digits, err := r.issue.Run(ctx, r.client, b.keys(), b.args...).Text()
	switch {
	case err != nil:
		err = fmt.Errorf("issue %d coupons: %w", len(requests), err)
		fill(results, Unknown, err.Error())
		return err
	case digits == "not rebuilt":
		fill(results, Transient, ErrNotRebuilt.Error())
		return fmt.Errorf("issue %d coupons: %w", len(requests), ErrNotRebuilt)
	case len(digits) != len(requests):
		err = fmt.Errorf("issue %d coupons: Redis answered %q, not a digit for each", len(requests), digits)
		fill(results, Unknown, err.Error())
		return err
	}
	for i := range results {
		results[i] = Result{Answer: answerOf(digits[i])}
		results[i].Detail = detailOf(results[i].Answer, &requests[i])
	}
	return nil
}

// Lookup keeps Issuer's contract.
func (r *RedisIssuer) Lookup(ctx context.Context, keys []Key, results []Result) error {
	if len(keys) == 0 {
		return nil
	}
	names, args := []string{r.keys.epoch}, []any{r.partitions}
	for i := range keys {
		k := &keys[i]
		names = append(names, r.keys.answers(k.Campaign, shardOf(&k.ID)))
		args = append(args, appendField(nil, &k.ID, k.Round))
	}
	digits, err := r.lookup.Run(ctx, r.client, names, args...).Text()
	if err == nil && len(digits) != len(keys)+1 {
		err = fmt.Errorf("Redis answered %q, not a digit for each", digits)
	}
	if err != nil {
		err = fmt.Errorf("look up %d coupons: %w", len(keys), err)
		fill(results, Unknown, err.Error())
		return err
	}
	for i := range results {
		switch digit := digits[i+1]; {
		case digit != '0':
			results[i] = Result{Answer: answerOf(digit)}
		case digits[0] == '1':
			results[i] = Result{Answer: Absent}
		default:
			results[i] = Result{Answer: Unknown, Detail: ErrNotRebuilt.Error()}
		}
	}
	return nil
}

// answerOf reads a digit as the scripts write it. The digits stand in Redis: they are
// never given another meaning.
func answerOf(digit byte) Answer {
	switch digit {
	case '1':
		return Done
	case '2':
		return OutOfStock
	case '3':
		return OutOfBudget
	case '4':
		return Refused
	case '5':
		return Transient
	}
	return Unknown
}

// digitOf is the reverse, of a final answer.
func digitOf(a Answer) string { return strconv.Itoa(int(a)) }

func detailOf(a Answer, q *Request) string {
	switch a {
	case Refused:
		return fmt.Sprintf("campaign %d: the issuer refuses %d %s of coupon %q: the kind is not declared, or the value not in 0..2^53-1 in all", q.Campaign, q.ValueMinor, q.Currency, q.Kind)
	case Transient:
		return fmt.Sprintf("campaign %d: no stock is declared to the issuer", q.Campaign)
	case Unknown:
		return "Redis holds an answer that is none"
	default:
		return ""
	}
}

// Declare keeps Stock's contract.
func (r *RedisIssuer) Declare(ctx context.Context, c *schemas.Campaign) error {
	if err := checkDeclaration(c); err != nil {
		return err
	}
	args := []any{c.Version, len(c.Coupons)}
	for i := range c.Coupons {
		args = append(args, c.Coupons[i].Name, c.Coupons[i].Stock)
	}
	for i := range c.Budget {
		args = append(args, c.Budget[i].Currency, c.Budget[i].Minor)
	}
	if err := r.declare.Run(ctx, r.client, []string{r.keys.campaign(c.ID)}, args...).Err(); err != nil {
		return fmt.Errorf("declare stock of campaign %d version %d: %w", c.ID, c.Version, err)
	}
	return nil
}

// TopUp keeps Stock's contract.
func (r *RedisIssuer) TopUp(ctx context.Context, t TopUp) error {
	if err := checkTopUp(&t); err != nil {
		return err
	}
	reply, err := r.topUp.Run(ctx, r.client, []string{r.keys.campaign(t.Campaign)}, t.Number, t.Kind, t.Pieces, t.Currency, t.BudgetMinor).Result()
	if err != nil {
		return fmt.Errorf("top up campaign %d, change %d: %w", t.Campaign, t.Number, err)
	}
	if reply == "too much" {
		return fmt.Errorf("top up campaign %d, change %d: %w", t.Campaign, t.Number, errTooMuch)
	}
	return nil
}

// newToken names one rebuilding.
func newToken() string { return strings.ToLower(rand.Text()) }
