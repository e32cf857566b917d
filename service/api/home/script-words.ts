/** How the page says times, lengths and states. Plain functions, tested as they are. */
export const WORDS = `
  const NO_ANSWER = "The box does not answer. Trying again …";
  const STATES = { live: "Live", starting: "Starting", stalled: "Sends nothing", offline: "Offline", disabled: "Switched off" };
  const SEVERITIES = { info: "Info", warning: "Warning", alarm: "Alarm" };
  const PARTS = { record: "Record", engine: "Model", remote: "Model elsewhere", watching: "Watches", delivery: "MQTT",
    broker: "Broker of its own", governor: "Governor", backups: "Backups", changes: "Changes", feeds: "Feeds", api: "HTTP" };
  const partName = (name) => PARTS[name] ?? capital(name);

  /** A length in ms: "12 s", "3 min", "2 h 5 min", "3 days". */
  function length(ms) {
    const seconds = Math.max(0, Math.round(ms / 1000)), minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
    if (seconds < 60) return seconds + " s";
    if (minutes < 60) return minutes + " min";
    if (hours < 48) return hours + " h" + (minutes % 60 ? " " + (minutes % 60) + " min" : "");
    return Math.floor(hours / 24) + " days";
  }
  /** How long ago something was, both epoch ms; with its date where it was not today or yesterday. */
  function ago(at, now) {
    const by = now - at;
    if (by < 5000) return "just now";
    if (by < 3600_000) return length(by) + " ago";
    if (by < 86400_000) return Math.floor(by / 3600_000) + " h ago";
    return new Date(at).toLocaleString(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  }
  const exact = (at) => new Date(at).toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const percent = (share) => Math.round(share * 100) + "%";
  const degrees = (celsius) => celsius.toFixed(1) + " °C";
  const value = (of) => of === true ? "yes" : of === false ? "no" : String(of);
  /** An answer's fields: "person yes · people 3". */
  const answerText = (answer) => Object.entries(answer).filter(([, of]) => of !== "")
    .map(([field, of]) => field + " " + value(of)).join(" · ");
`;
