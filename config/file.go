package config

// WitnessFile is the value of witness.type for a directory that all regions see.
const WitnessFile = "file"

// FileWitness is a directory that every region of the group sees.
type FileWitness struct {
	Dir string `yaml:"dir" json:"dir"`
}

var fileStore = store{
	witness: WitnessFile,
	section: "file",
	there:   func(w *Witness) bool { return w.File != nil },
	set: func(w *Witness) setter {
		return optional(&w.File, func(f *FileWitness) setter {
			return section(field{"dir", text(&f.Dir)})
		})
	},
	check: func(v *validator, at string, w *Witness) {
		v.text(join(at, "dir"), w.File.Dir, isAbs)
	},
}
