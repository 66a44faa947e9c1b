// The side panel of sources and settings: which articles, days and engine answers come from.
import { useEffect, useRef, useState } from "react"

const words = window.dateline.words
const say = window.dateline.say

function tell(message) {
  window.postMessage(message, location.origin)
}

function Row({ item, chosen, onChoose }) {
  const id = `dl-source-${item.source}`
  return (
    <li className="dl-row">
      <input type="checkbox" id={id} checked={chosen} onChange={() => onChoose(item.source)} />
      <label htmlFor={id}>
        <bdi className="dl-title">{item.title}</bdi>
        <span className="dl-muted">
          <bdi>{item.publisher || words.publisherUnknown}</bdi> · {item.day} · {item.passages}{" "}
          {item.passages === 1 ? words.passage : words.passages}
          {item.scope ? <span className="dl-badge">{item.scope === "person" ? words.kept : words.yours}</span> : null}
        </span>
        {item.repeats ? <span className="dl-muted">{say("repeats", { source: item.repeats })}</span> : null}
      </label>
      <button
        type="button"
        className="dl-step"
        aria-label={`${words.openFile}: ${item.title}`}
        title={item.source}
        onClick={() => tell({ dateline: "article", source: item.source })}
      >
        ↗
      </button>
    </li>
  )
}

export default function Library() {
  const [limits, setLimits] = useState(props.limits)
  const [query, setQuery] = useState("")
  const [said, setSaid] = useState("")
  const panel = useRef(null)
  const set = (change) => {
    setSaid("")
    setLimits({ ...limits, ...change })
  }
  const chosen = new Set(limits.sources)
  const choose = (source) => {
    const next = new Set(chosen)
    next.has(source) ? next.delete(source) : next.add(source)
    set({ sources: [...next] })
  }
  // The server looks for them: the page is not sent all that a large corpus holds.
  const [listed, setListed] = useState({ query: "", items: props.items, found: props.found })
  useEffect(() => {
    if (query === listed.query) return
    const asking = setTimeout(() => tell({ dateline: "find", query }), 150)
    return () => clearTimeout(asking)
  }, [query, listed.query])
  useEffect(() => {
    if (!window.dateline.back) panel.current.focus({ preventScroll: true })
    window.dateline.back = null
  }, [])
  useEffect(() => {
    const hear = ({ origin, data }) => {
      if (origin !== location.origin) return
      if (data?.dateline === "found") setListed(data)
      if (data?.dateline === "limits") setSaid(data.problem || (data.said ? `${words.applied}: ${data.said}` : words.cleared))
    }
    window.addEventListener("message", hear)
    return () => window.removeEventListener("message", hear)
  }, [])
  const apply = (wanted) => tell({ dateline: "set_limits", limits: wanted })
  const clear = () => {
    const none = { engine: props.engines[0].value, sources: [], since: null, until: null, asOf: null, quotes: null }
    setLimits(none)
    apply(none)
  }
  return (
    <form
      className="dl-library" data-panel="library" ref={panel} tabIndex={-1} aria-label={words.sourcesButtonLabel}
      onSubmit={(event) => {
        event.preventDefault()
        apply(limits)
      }}
    >
      <fieldset>
        <legend>{words.published}</legend>
        <div className="dl-pair">
          <label>{words.from}<input type="date" value={limits.since || ""} max={limits.until || undefined} onChange={(e) => set({ since: e.target.value || null })} /></label>
          <label>{words.to}<input type="date" value={limits.until || ""} min={limits.since || undefined} onChange={(e) => set({ until: e.target.value || null })} /></label>
        </div>
      </fieldset>
      <label>{words.asOfDay}
        <input type="date" value={limits.asOf || ""} onChange={(e) => set({ asOf: e.target.value || null })} aria-describedby="dl-as-of-hint" />
      </label>
      <p id="dl-as-of-hint" className="dl-muted">{words.asOfHint}</p>
      <div className="dl-pair">
        <label>{words.engine}
          <select value={limits.engine || props.engines[0].value} onChange={(e) => set({ engine: e.target.value })}>
            {props.engines.map((e) => <option key={e.value} value={e.value}>{e.label}</option>)}
          </select>
        </label>
        <label>{words.most}
          <input type="number" min="1" max="10" placeholder={String(props.quotes)} value={limits.quotes ?? ""} onChange={(e) => set({ quotes: e.target.value ? Number(e.target.value) : null })} />
        </label>
      </div>
      <fieldset>
        <legend>{words.answersFrom}</legend>
        <p className="dl-muted" aria-live="polite">
          {chosen.size ? say("chosen", { n: chosen.size, total: props.total }) : `${words.allSources} (${props.total})`}
        </p>
        <input type="search" aria-label={words.find} placeholder={words.find} value={query} onChange={(e) => setQuery(e.target.value)} />
        <ul>
          {listed.items.map((item) => (
            <Row key={item.source} item={item} chosen={chosen.has(item.source)} onChoose={choose} />
          ))}
        </ul>
        {listed.found === 0 ? <p className="dl-muted">{words.none}</p> : null}
        {listed.found > listed.items.length ? <p className="dl-muted">{say("more", { n: listed.found - listed.items.length })}</p> : null}
      </fieldset>
      <div className="dl-buttons">
        <button type="submit" className="dl-primary">{words.apply}</button>
        <button type="button" className="dl-action" onClick={clear}>{words.clear}</button>
        <span role="status" className="dl-muted">{said}</span>
      </div>
    </form>
  )
}
