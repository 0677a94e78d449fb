package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// layer is what one source says. Later layers beat earlier ones.
type layer struct {
	values *koanf.Koanf
	// subject is how this source calls a setting, so that a sentence about it leads a person there.
	subject func(setting) string
}

// layers are file, environment and flags, in this order.
type layers []layer

func loadLayers(flags *pflag.FlagSet, environ []string) (layers, error) {
	var all layers
	if path := configPath(flags, environ); path != "" {
		l, err := fileLayer(path)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	fromEnv, err := envLayer(environ)
	if err != nil {
		return nil, err
	}
	fromFlags, err := flagLayer(flags)
	if err != nil {
		return nil, err
	}
	return append(all, fromEnv, fromFlags), nil
}

// config puts the layers over the defaults and validates the result. Its error names every
// setting that is wrong and where its value came from.
func (ls layers) config(hostname func() (string, error)) (Config, error) {
	instance, err := hostname()
	if err != nil {
		instance = "" // refused by Validate, unless --instance names it
	}
	cfg := defaultConfig(instance)
	var wrong []error
	for _, s := range settings() {
		l, ok := ls.lastWord(s.key)
		if !ok {
			continue
		}
		if err := s.assign(&cfg, l.values.Get(s.key)); err != nil {
			wrong = append(wrong, fmt.Errorf("%s %w", l.subject(s), err))
		}
	}
	if len(wrong) == 0 {
		for _, p := range cfg.problems() {
			wrong = append(wrong, fmt.Errorf("%s %s", ls.subject(p.key), p.sentence))
		}
	}
	wrong = append(wrong, ls.leakedKeys(cfg)...)
	return cfg, errors.Join(wrong...)
}

// lastWord is the layer that decides a setting, if any does: the last that has it.
func (ls layers) lastWord(key string) (layer, bool) {
	for _, l := range slices.Backward(ls) {
		if l.values.Exists(key) {
			return l, true
		}
	}
	return layer{}, false
}

// subject names a setting as the layer that decides it does.
func (ls layers) subject(key string) string {
	if source := ls.source(key); source != "default" {
		return source
	}
	return key
}

// source is where a setting's value comes from: "default", or as subject names it.
func (ls layers) source(key string) string {
	l, ok := ls.lastWord(key)
	if !ok {
		return "default"
	}
	all := settings()
	return l.subject(all[slices.IndexFunc(all, func(s setting) bool { return s.key == key })])
}

func configPath(flags *pflag.FlagSet, environ []string) string {
	if path, err := flags.GetString("config"); err == nil && path != "" {
		return path
	}
	path, _ := lookup(environ, envPrefix+"CONFIG")
	return path
}

func fileLayer(path string) (layer, error) {
	values := koanf.New(".")
	if err := values.Load(file.Provider(path), yaml.Parser()); err != nil {
		if _, ok := errors.AsType[*os.PathError](err); ok {
			return layer{}, fmt.Errorf("the configuration file cannot be read: %w", err)
		}
		return layer{}, fmt.Errorf("%s is not YAML: %w", path, err)
	}
	if err := checkFileKeys(path, values); err != nil {
		return layer{}, err
	}
	return layer{values: values, subject: func(s setting) string { return path + ": " + s.key }}, nil
}

// checkFileKeys refuses a key that nobody reads, which would be a typing error without effect,
// and a secret (invariant 3).
func checkFileKeys(path string, values *koanf.Koanf) error {
	known := map[string]setting{}
	for _, s := range settings() {
		known[s.key] = s
	}
	var wrong []error
	for _, key := range values.Keys() {
		s, ok := known[key]
		switch {
		case !ok:
			wrong = append(wrong, fmt.Errorf("%s: there is no setting %q; hongbao help settings shows all", path, key))
		case s.secret:
			wrong = append(wrong, fmt.Errorf("%s: %s is a secret and comes from the environment variable %s alone", path, key, s.env))
		}
	}
	return errors.Join(wrong...)
}

func envLayer(environ []string) (layer, error) {
	keys := map[string]string{}
	for _, s := range settings() {
		keys[s.env] = s.key
	}
	values := koanf.New(".")
	provider := env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		// Other variables of this prefix are none of ours: Kubernetes sets HONGBAO_SERVICE_HOST
		// for a service of this name. An empty one is one that was not given.
		TransformFunc: func(name, value string) (string, any) {
			if value == "" {
				return "", nil
			}
			return keys[name], value
		},
	})
	if err := values.Load(provider, nil); err != nil {
		return layer{}, fmt.Errorf("read the environment: %w", err)
	}
	return layer{values: values, subject: func(s setting) string { return s.env }}, nil
}

func flagLayer(flags *pflag.FlagSet) (layer, error) {
	keys := map[string]string{}
	for _, s := range settings() {
		keys[s.flag] = s.key
	}
	values := koanf.New(".")
	provider := posflag.ProviderWithValue(flags, ".", nil, func(name, value string) (string, any) {
		return keys[name], value
	})
	if err := values.Load(provider, nil); err != nil {
		return layer{}, fmt.Errorf("read the flags: %w", err)
	}
	return layer{values: values, subject: func(s setting) string { return "--" + s.flag }}, nil
}

// setFlagsFromEnv gives flags that are no settings, such as a command's own --rate, their value
// from the environment where the command line has none.
func setFlagsFromEnv(flags *pflag.FlagSet, environ []string) error {
	isSetting := map[string]bool{"config": true, "help": true}
	for _, s := range settings() {
		isSetting[s.flag] = true
	}
	var wrong []error
	flags.VisitAll(func(f *pflag.Flag) {
		value, ok := lookup(environ, envName(f.Name))
		if !ok || f.Changed || isSetting[f.Name] {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", envName(f.Name), err))
		}
	})
	return errors.Join(wrong...)
}

// lookup finds a variable that is set and not empty.
func lookup(environ []string, name string) (string, bool) {
	for _, line := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value, value != ""
		}
	}
	return "", false
}
