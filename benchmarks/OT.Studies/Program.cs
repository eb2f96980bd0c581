using OT.Studies;

// OT.Studies list | NAME [--short] [--output FOLDER]
var studies = new Dictionary<string, Action<StudyOutput, bool>>(StringComparer.Ordinal)
{
    ["rebasin"] = RebasinStudy.Run,
    ["sparse-newton"] = SparseNewtonStudy.Run,
};

if (args is not [var name, .. var rest] || (name != "list" && !studies.ContainsKey(name)))
{
    Console.Error.WriteLine("usage: OT.Studies list | NAME [--short] [--output FOLDER]");
    return 2;
}
if (name == "list")
{
    Console.WriteLine(string.Join('\n', studies.Keys));
    return 0;
}
int at = Array.IndexOf(rest, "--output");
string folder = at >= 0 && at + 1 < rest.Length ? rest[at + 1] : Path.Combine("artifacts", "studies");
var output = new StudyOutput(name, folder);
studies[name](output, rest.Contains("--short"));
return output.Finish() ? 0 : 1;
