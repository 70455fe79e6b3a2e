package config

// EnvFile gives the variables a .env.local sets, as DECNET reads it; the error is that of the reading.
//
// Under systemd the same file is the unit's EnvironmentFile, so that a process has its variables as they were at its
// start. Whoever reads the configuration again in that process must put the file's new values in their place.
func EnvFile(path string, in Input) (map[string]string, error) {
	raw, err := in.read(path)
	if err != nil {
		return nil, err
	}
	return parseDotenv(path, string(raw), in.LookupEnv).values, nil
}
