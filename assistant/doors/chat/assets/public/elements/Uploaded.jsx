// What became of an uploaded file: the articles read from it, kept or not as its reader chooses.
const words = window.dateline.words

function act(name) {
  callAction({ name, payload: { element: props.element } })
}

export default function Uploaded() {
  return (
    <div className="dl-uploaded" data-scope={props.scope}>
      <p className="dl-status">
        {props.scope === "removed" ? words.removed : props.scope === "person" ? words.keptForAll : words.onlyHere}
      </p>
      <ul>
        {props.articles.map((a) => (
          <li key={a.source}>
            <bdi className="dl-title">{a.title}</bdi>
            <span className="dl-muted">
              <bdi>{a.publisher || words.publisherUnknown}</bdi> · {a.day} · {a.passages}{" "}
              {a.passages === 1 ? words.passage : words.passages} · <bdi>{a.source}</bdi>
            </span>
          </li>
        ))}
      </ul>
      {props.scope === "removed" ? null : (
        <div className="dl-actions">
          {props.question ? (
            <button type="button" className="dl-follow-up" onClick={() => sendUserMessage(props.question)}>
              <bdi>{props.question}</bdi>
            </button>
          ) : null}
          {props.scope === "conversation" ? (
            <button type="button" className="dl-action" onClick={() => act("keep_upload")}>{words.keepForAll}</button>
          ) : null}
          <button type="button" className="dl-action" onClick={() => act("remove_upload")}>{words.remove}</button>
        </div>
      )}
    </div>
  )
}
