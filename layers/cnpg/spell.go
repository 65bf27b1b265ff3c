package cnpg

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
)

const (
	// maxNote is how many bytes the note may have as a string of JSON: a record of the witness takes 64 KiB, and what other layers
	// tell is in it too.
	maxNote = 56 << 10

	maxTokens = 1 << 20 // once they are no longer compressed; more than fit into any note
)

// apart is the last entry of a note whose tokens would make it too large: the tokens of
// the entries before it, compressed, since most of each is the same in all. To a version
// that does not know of it those Clusters are being demoted: it waits for their tokens.
type apart struct {
	Tokens []byte `json:"tokens"`
}

// spell is the text of a note.
func spell(list []said) (string, error) {
	text, err := json.Marshal(list)
	if err != nil || noteSize(text) <= maxNote {
		return string(text), err
	}
	tokens, entries := make([]string, len(list)), make([]any, len(list)+1)
	for i, s := range list {
		if s.Token != "" {
			s.Role, s.Token, tokens[i] = demoting, "", s.Token
		}
		entries[i] = s
	}
	all, err := json.Marshal(tokens)
	if err != nil {
		return "", err
	}
	squeezed, err := squeeze(all)
	if err != nil {
		return "", err
	}
	entries[len(list)] = apart{squeezed}
	text, err = json.Marshal(entries)
	return string(text), err
}

// read is what a note says, and nothing if it can't be read. Tokens that can't be are
// still to come.
func read(text string) []said {
	var entries []struct {
		said
		apart
	}
	if json.Unmarshal([]byte(text), &entries) != nil {
		return nil
	}
	var list []said
	var tokens []string
	for _, e := range entries {
		if e.Tokens == nil {
			list = append(list, e.said)
			continue
		}
		if all, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(e.Tokens)), maxTokens)); err == nil {
			_ = json.Unmarshal(all, &tokens) // as far as it goes
		}
	}
	for i, token := range tokens {
		if token != "" && i < len(list) && list[i].Role == demoting {
			list[i].Role, list[i].Token = replica, token
		}
	}
	return list
}

func squeeze(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// noteSize is how many bytes a text has as a string of JSON.
func noteSize(text []byte) int {
	quoted, _ := json.Marshal(string(text)) // of text that is JSON
	return len(quoted)
}
