using System.CommandLine;
using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Pairwise;

namespace OT.Cli;

/// <summary>Reads the measures of <c>ot pairwise</c>: files of points, or rows of histograms over shared bins.</summary>
sealed class PairwiseInput(PairwiseArguments arguments, ParseResult parse, TableReader reader)
{
    const string CoordinateRule = "a coordinate must be finite";
    const string WeightRule = "a weight must be finite and not negative";

    /// <summary>What was read.</summary>
    public List<string> Files { get; } = [];

    public PairwiseProblem Read()
    {
        string[] files = parse.GetValue(arguments.Files) ?? [];
        string? list = parse.GetValue(arguments.List),
            histograms = parse.GetValue(arguments.Histograms),
            against = parse.GetValue(arguments.Against);
        int ways = (files.Length > 0 ? 1 : 0) + (list is null ? 0 : 1) + (histograms is null ? 0 : 1);
        if (ways != 1)
            throw new InputException(
                ways == 0
                    ? "no measures: give FILEs, --list or --histograms."
                    : "FILEs, --list and --histograms each give the measures: give one of them."
            );
        PairwiseQuantity quantity = arguments.Quantity(parse);
        if (histograms is not null)
            return OfHistograms(quantity, histograms, against);
        foreach (Option<string?> option in (ReadOnlySpan<Option<string?>>)[arguments.Bins, arguments.CostMatrix])
        {
            if (parse.GetValue(option) is not null)
                throw new InputException($"{option.Name} means nothing without --histograms.");
        }
        if (list is not null)
            files = Listed(list);
        string[] others = against is null ? [] : Listed(against);
        Measure[] rows = [.. files.Select(Cloud)];
        Measure[]? columns = against is null ? null : [.. others.Select(Cloud)];
        return Named(
            () => PairwiseProblem.OfClouds(quantity, rows, columns, parse.GetValue(arguments.Method) is "sliced" ? null : Cost()),
            k => files[k],
            k => others[k]
        );
    }

    PairwiseProblem OfHistograms(PairwiseQuantity quantity, string path, string? against)
    {
        if (parse.GetValue(arguments.Shared.WeightsColumn) is not null)
            throw new InputException("--weights-column means nothing with --histograms.");
        Geometry costs = (parse.GetValue(arguments.CostMatrix), parse.GetValue(arguments.Bins)) switch
        {
            ({ } matrix, null) => Matrix(matrix),
            (null, { } bins) => Points(bins, Cost()),
            (null, null) => throw new InputException(
                "--histograms needs the costs between its bins: give --cost-matrix or --bins."
            ),
            _ => throw new InputException("--cost-matrix and --bins both give the costs between bins: give one of them."),
        };
        Measure[] rows = Histograms(path, costs.Rows);
        Measure[]? columns = against is null ? null : Histograms(against, costs.Columns);
        return Named(
            () => PairwiseProblem.OfHistograms(quantity, costs, rows, columns),
            k => $"{path}, histogram {k + 1}",
            k => $"{against}, histogram {k + 1}"
        );
    }

    /// <summary>Puts the file in place of the index that the library names a measure by.</summary>
    static PairwiseProblem Named(Func<PairwiseProblem> make, Func<int, string> row, Func<int, string> column)
    {
        try
        {
            return make();
        }
        catch (ArgumentException e)
        {
            string text = CommandLine.OneLine(e);
            foreach (
                (string list, Func<int, string> name) in (ReadOnlySpan<(string, Func<int, string>)>)
                    [("rows[", row), ("columns[", column)]
            )
            {
                int end = text.IndexOf(']', StringComparison.Ordinal);
                if (
                    text.StartsWith(list, StringComparison.Ordinal)
                    && int.TryParse(text[list.Length..end], CultureInfo.InvariantCulture, out int k)
                )
                    text = name(k) + text[(end + 1)..];
            }
            throw new InputException(text, e);
        }
    }

    /// <summary>Paths, one a line; those that are not absolute lie beside the list. Empty lines and lines that begin with # are skipped.</summary>
    string[] Listed(string path)
    {
        using var text = new StreamReader(TableReader.Open(path));
        Files.Add(path);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var files = new List<string>();
        while (text.ReadLine() is { } line)
        {
            if (line.Trim() is { Length: > 0 } file && file[0] != '#')
                files.Add(Path.Combine(folder, file));
        }
        return files.Count > 0 ? [.. files] : throw new InputException($"{path}: lists no file.");
    }

    Table Open(string path)
    {
        Files.Add(path);
        return reader.Read(path);
    }

    Measure Cloud(string path)
    {
        Table table = Open(path);
        table.Require(double.IsFinite, CoordinateRule);
        if (parse.GetValue(arguments.Shared.WeightsColumn) is not { } name)
            return Measure.Uniform(new Matrix(table.Rows, table.Columns, table.ToDoubles()));
        int column = table.FindColumn(name);
        return ProblemInput.Weights(table.Column(column), table.Without(column));
    }

    Measure[] Histograms(string path, int bins)
    {
        Table table = Open(path);
        if (table.Columns != bins)
            throw new InputException($"{path}: {table.Columns} columns for {bins} bins: the counts must be equal.");
        table.Require(weight => weight >= 0 && double.IsFinite(weight), WeightRule);
        var measures = new Measure[table.Rows];
        var row = new double[bins];
        for (int i = 0; i < measures.Length; i++)
        {
            for (int j = 0; j < bins; j++)
                row[j] = table[i, j];
            try
            {
                measures[i] = table.Singles is null ? Measure.Of(row) : Measure.Of(Array.ConvertAll(row, w => (float)w));
            }
            catch (ArgumentException e)
            {
                throw new InputException($"{table.Place(i)}: {CommandLine.OneLine(e)}", e);
            }
        }
        return measures;
    }

    CostMatrix Matrix(string path)
    {
        if (parse.GetValue(arguments.Shared.Cost) is not null)
            throw new InputException("--cost means nothing with --cost-matrix.");
        Table costs = Open(path);
        costs.Require(
            cost => !double.IsNaN(cost) && !double.IsNegativeInfinity(cost),
            "a cost must be finite, or inf to forbid the pair"
        );
        return new CostMatrix(costs.Rows, costs.Columns, costs.ToDoubles());
    }

    PointCloud Points(string path, GroundCost cost)
    {
        Table table = Open(path);
        table.Require(double.IsFinite, CoordinateRule);
        var points = new Matrix(table.Rows, table.Columns, table.ToDoubles());
        try
        {
            return new PointCloud(points, points, cost);
        }
        catch (ArgumentException e)
        {
            throw new InputException($"{path}: {CommandLine.OneLine(e)}", e);
        }
    }

    /// <summary>The ground cost; W_p wants a distance.</summary>
    GroundCost Cost()
    {
        bool distance = parse.GetValue(arguments.Method) is "wasserstein";
        string name = parse.GetValue(arguments.Shared.Cost) ?? (distance ? "euclidean" : "sqeuclidean");
        return distance ? TransportArguments.ParseDistance(name) : TransportArguments.ParseCost(name);
    }
}
