package config

import (
	"errors"
	"fmt"
	"strings"
)

// maxDepth bounds references within references. Source: ConfigParser.
const maxDepth = 10

// option is a value of a section, or of [DEFAULT], with %(name)s filled in. has is false where there is none.
func (f *inifile) option(section, key string) (value string, has bool, err error) {
	raw, has := f.raw(section, key)
	if !has {
		return "", false, nil
	}
	// A reference doubles what it names: ten levels of them could fill the memory.
	left := MaxFile
	value, err = f.fill(section, raw, 1, &left)
	return value, true, err
}

func (f *inifile) raw(section, key string) (string, bool) {
	if v, ok := f.sections[section][key]; ok {
		return v, true
	}
	if _, there := f.sections[section]; !there {
		return "", false
	}
	v, ok := f.defaults[key]
	return v, ok
}

func (f *inifile) fill(section, rest string, depth int, left *int) (string, error) {
	if depth > maxDepth && strings.Contains(rest, "%") {
		return "", errors.New("refers to itself, or to more than ten others in a row")
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(rest, "%")
		if *left -= len(before) + 1; *left < 0 {
			return "", errTooLarge
		}
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		text, tail, err := f.reference(section, after, depth, left)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
		rest = tail
	}
}

// reference resolves what follows a percent sign.
func (f *inifile) reference(section, after string, depth int, left *int) (text, tail string, err error) {
	if tail, ok := strings.CutPrefix(after, "%"); ok {
		return "%", tail, nil
	}
	name, tail, ok := strings.Cut(strings.TrimPrefix(after, "("), ")s")
	if !strings.HasPrefix(after, "(") || !ok || name == "" || strings.Contains(name, ")") {
		return "", "", errors.New("has a single %; write %% for a percent sign or %(name)s for another option")
	}
	raw, has := f.raw(section, strings.ToLower(name))
	if !has {
		return "", "", fmt.Errorf("refers to option %s, which is not there", quoted(name))
	}
	text, err = f.fill(section, raw, depth+1, left)
	return text, tail, err
}
