// Numbers as people read them; as `_words.py` does for what the server writes.

/** @param {number | undefined} seconds */
export function duration(seconds) {
  if (seconds === undefined || seconds === null) return "–";
  if (seconds < 0.0009995) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${(seconds * 1e3).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${String(whole % 60).padStart(2, "0")} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {number} number */
export function compact(number) {
  return number >= 1e6 ? `${(number / 1e6).toFixed(1)} M` : Math.round(number).toLocaleString("en-GB");
}

/** @param {number} amount */
export function dollars(amount) {
  if (!amount) return "";
  return amount >= 0.1 ? `$${amount.toFixed(2)}` : `$${amount.toFixed(6).replace(/0+$/, "")}`;
}

/** @param {number} unix seconds @param {boolean} fine with milliseconds */
export function clock(unix, fine = false) {
  const time = new Date(unix * 1000);
  const text = time.toLocaleTimeString("en-GB", { hour12: false });
  return fine ? `${text}.${String(time.getMilliseconds()).padStart(3, "0")}` : text;
}

/** A quantity with few digits. @param {number} number */
export function short(number) {
  if (number >= 1000) return compact(number);
  return number >= 100 ? number.toFixed(0) : String(Number(number.toPrecision(2)));
}
