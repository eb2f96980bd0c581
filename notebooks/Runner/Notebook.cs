using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace OT.Notebooks.Runner;

/// <summary>One cell: its text, and for code what it showed when it last ran.</summary>
sealed record Cell(bool IsCode, string Source)
{
    /// <summary>Outputs in the notebook format, in order.</summary>
    public JsonArray Outputs { get; init; } = [];
}

/// <summary>A notebook as cells, read from a file-based program or from an .ipynb file (format 4.5).</summary>
sealed record Notebook(IReadOnlyList<Cell> Cells)
{
    static readonly JsonSerializerOptions s_readable = new()
    {
        WriteIndented = true,
        IndentSize = 1,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>
    /// Cells of a program: <c>// %%</c> begins code, <c>// %% [markdown]</c> begins a block of comments. What stands before the first cell, the
    /// <c>#:project</c> lines, becomes <c>#r</c> lines of the first code cell.
    /// </summary>
    public static Notebook FromProgram(string text)
    {
        var cells = new List<Cell>();
        string references = "";
        foreach (string block in ("\n" + text.ReplaceLineEndings("\n")).Split("\n// %%"))
        {
            if (!block.StartsWith('\n') && !block.StartsWith(" [markdown]\n", StringComparison.Ordinal))
                throw new FormatException(
                    $"A cell begins with '// %%{block.Split('\n')[0]}': write '// %%' or '// %% [markdown]'."
                );
            string[] lines = block.Split('\n');
            if (block.StartsWith(" [markdown]", StringComparison.Ordinal))
                cells.Add(new Cell(IsCode: false, string.Join('\n', lines[1..].Select(Uncommented)).Trim('\n')));
            else if (cells.Count == 0 && lines.All(line => line.Length == 0 || line.StartsWith('#')))
                references = string.Concat(
                    lines.Where(line => line.StartsWith("#:project", StringComparison.Ordinal)).Select(Reference)
                );
            else
            {
                cells.Add(new Cell(IsCode: true, references + string.Join('\n', lines[1..]).Trim('\n')));
                references = "";
            }
        }
        return new Notebook(cells);
    }

    public static Notebook FromJson(string json)
    {
        var cells = new List<Cell>();
        foreach (JsonNode? node in JsonNode.Parse(json)!["cells"]!.AsArray())
        {
            string source = string.Concat(node!["source"]!.AsArray().Select(line => (string)line!));
            bool isCode = (string)node["cell_type"]! == "code";
            cells.Add(new Cell(isCode, source) { Outputs = isCode ? node["outputs"]!.DeepClone().AsArray() : [] });
        }
        return new Notebook(cells);
    }

    public string ToJson()
    {
        var cells = new JsonArray();
        for (int k = 0; k < Cells.Count; k++)
        {
            var node = new JsonObject { ["cell_type"] = Cells[k].IsCode ? "code" : "markdown", ["id"] = $"cell-{k:00}" };
            if (Cells[k].IsCode)
            {
                node["execution_count"] = null;
                node["outputs"] = Cells[k].Outputs.DeepClone();
            }
            node["metadata"] = new JsonObject();
            node["source"] = Lines(Cells[k].Source);
            cells.Add(node);
        }
        var notebook = new JsonObject
        {
            ["cells"] = cells,
            ["metadata"] = new JsonObject
            {
                ["kernelspec"] = new JsonObject
                {
                    ["display_name"] = ".NET (C#)",
                    ["language"] = "C#",
                    ["name"] = ".net-csharp",
                },
                ["language_info"] = new JsonObject
                {
                    ["name"] = "C#",
                    ["file_extension"] = ".cs",
                    ["mimetype"] = "text/x-csharp",
                },
            },
            ["nbformat"] = 4,
            ["nbformat_minor"] = 5,
        };
        return notebook.ToJsonString(s_readable).ReplaceLineEndings("\n") + "\n";
    }

    /// <summary>These cells with the outputs that another version holds for cells of the same text.</summary>
    public Notebook WithOutputsOf(Notebook? other)
    {
        ILookup<Cell, Cell> known = (other?.Cells ?? []).ToLookup(cell => cell with { Outputs = [] }, Comparer);
        return new Notebook([.. Cells.Select(cell => cell with { Outputs = known[cell].FirstOrDefault()?.Outputs ?? [] })]);
    }

    /// <summary>Whether both hold the same cells, whatever these showed.</summary>
    public bool HasCellsOf(Notebook other) => Cells.SequenceEqual(other.Cells, Comparer);

    /// <summary>Text as the notebook format stores it: lines that keep their ends.</summary>
    public static JsonArray Lines(string text)
    {
        var lines = new JsonArray();
        var line = new StringBuilder();
        foreach (char c in text)
        {
            line.Append(c);
            if (c == '\n')
            {
                lines.Add(line.ToString());
                line.Clear();
            }
        }
        if (line.Length > 0)
            lines.Add(line.ToString());
        return lines;
    }

    static IEqualityComparer<Cell> Comparer { get; } =
        EqualityComparer<Cell>.Create(
            (a, b) => a!.IsCode == b!.IsCode && a.Source == b.Source,
            cell => cell.Source.GetHashCode(StringComparison.Ordinal)
        );

    static string Uncommented(string line) =>
        line.StartsWith("// ", StringComparison.Ordinal) ? line[3..]
        : line is "//" or "" ? ""
        : throw new FormatException($"'{line}' stands in a markdown cell: every line there begins with '// '.");

    /// <summary><c>#:project ../src/X/X.csproj</c> as a reference to what that project builds.</summary>
    static string Reference(string line)
    {
        string project = line["#:project".Length..].Trim();
        string folder = project[..project.LastIndexOf('/')];
        return $"#r \"{folder}/bin/Release/net10.0/{Path.GetFileNameWithoutExtension(project)}.dll\"\n";
    }
}
