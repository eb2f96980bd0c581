using System.Globalization;
using System.Text;
using System.Text.Json;
using OT.Numerics;
using Xunit;

namespace OT.Accelerators.Tests.Mpi;

/// <summary>The <c>ot</c> command under <c>mpirun</c>.</summary>
[Collection(NativePaths.Name)]
public sealed class CommandTests : IDisposable
{
    readonly NativePaths.Folder _folder = new();

    public CommandTests()
    {
        var random = new SeededRandom(3);
        foreach ((string name, int rows) in (ReadOnlySpan<(string, int)>)[("x.csv", 60), ("y.csv", 45)])
        {
            // Comments, an empty line and lines of many lengths: parts of the bytes are not parts of the rows.
            var text = new StringBuilder("# points\na,b\n\n");
            for (int i = 0; i < rows; i++)
                text.Append(
                    CultureInfo.InvariantCulture,
                    $"{random.NextDouble().ToString(i % 3 == 0 ? "F2" : "R", CultureInfo.InvariantCulture)},{random.NextDouble():R}\n"
                );
            File.WriteAllText(_folder.File(name), text.ToString());
        }
        double[] costs = [.. Enumerable.Range(0, 60 * 45).Select(_ => random.NextDouble())];
        IO.NpyFile.Write(_folder.File("c.npy"), costs, 60, 45);
        File.WriteAllLines(
            _folder.File("c.csv"),
            costs.Chunk(45).Select(row => string.Join(',', row.Select(c => c.ToString("R", CultureInfo.InvariantCulture))))
        );
        File.WriteAllLines(_folder.File("a.csv"), Enumerable.Repeat("0.75", 60));
        File.WriteAllLines(_folder.File("b.csv"), Enumerable.Repeat("1", 45));
    }

    public void Dispose() => _folder.Dispose();

    static JsonElement Report(MpiJob job)
    {
        Assert.True(job.Code == 0, job.Error);
        return JsonDocument.Parse(job.Output).RootElement; // and nothing before it: mpirun gives each process a terminal, which is not greeted
    }

    MpiJob Ot(int ranks, string words) => MpiJob.StartProgram(ranks, "OT.Cli.dll", words, _folder.Path);

    [Fact]
    public void RanksReadTheirPartsAndOneWrites()
    {
        double alone = Report(Ot(1, "solve x.csv y.csv --epsilon 0.1 --tolerance 1e-9 --json")).GetProperty("value").GetDouble();
        JsonElement points = Report(Ot(3, "solve x.csv y.csv --epsilon 0.1 --tolerance 1e-9 --json --plan p.npz"));
        Assert.Equal(alone, points.GetProperty("value").GetDouble(), 1e-9);
        Assert.StartsWith("3 ranks", points.GetProperty("backend").GetString(), StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.File("p.npz")));
        double text = Report(Ot(2, "solve a.csv b.csv --cost-matrix c.csv --epsilon 0.1 --json"))
            .GetProperty("value")
            .GetDouble();
        double array = Report(Ot(2, "solve a.csv b.csv --cost-matrix c.npy --epsilon 0.1 --json"))
            .GetProperty("value")
            .GetDouble();
        Assert.Equal(text, array); // the same bits: rows lie with the same ranks, however they were read
    }

    [Theory]
    [InlineData("solve a.csv b.csv --cost-matrix c.npy")]
    [InlineData("solve x.csv y.csv")]
    public void RanksHaveADeviceEach(string words)
    {
        Gpu.OpenCl.Open().Dispose(); // or skip
        words = $"{words} --epsilon 0.1 --tolerance 1e-9 --json";
        JsonElement shared = Report(Ot(2, $"{words} --backend mpi:opencl"));
        Assert.StartsWith("2 ranks, each opencl", shared.GetProperty("backend").GetString(), StringComparison.Ordinal);
        double alone = Report(Ot(1, words)).GetProperty("value").GetDouble();
        Assert.Equal(alone, shared.GetProperty("value").GetDouble(), 1e-9);
    }

    [Fact]
    public void RanksShareThePairsOfAMatrixAndResumeThem()
    {
        const string pairs = "pairwise x.csv y.csv x.csv y.csv --method divergence --epsilon 0.1 --json --output";
        Report(Ot(1, $"{pairs} alone.csv"));
        JsonElement shared = Report(Ot(3, $"{pairs} shared.csv"));
        Assert.Equal(6, shared.GetProperty("computed").GetInt32());
        Assert.Equal(0.1, shared.GetProperty("epsilon").GetDouble());
        string alone = File.ReadAllText(_folder.File("alone.csv"));
        Assert.Equal(alone, File.ReadAllText(_folder.File("shared.csv")));
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.journal"));

        Assert.NotEqual(0, Ot(2, $"{pairs} late.csv --time-limit 1e-9").Code);
        Assert.False(File.Exists(_folder.File("late.csv")));
        Assert.Equal(2, Directory.GetFiles(_folder.Path, "late.csv.*.journal").Length);
        Report(Ot(2, $"{pairs} late.csv --resume"));
        Assert.Equal(alone, File.ReadAllText(_folder.File("late.csv")));
        Assert.Contains("--part means nothing under mpirun", Ot(2, $"{pairs} p.csv --part 1/2").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherNumberOfRanksGoesOnFromWhatIsThere()
    {
        const string pairs = "pairwise x.csv y.csv x.csv y.csv --method divergence --epsilon 0.1 --json --output";
        Report(Ot(1, $"{pairs} alone.csv"));
        string alone = File.ReadAllText(_folder.File("alone.csv"));
        Report(Ot(1, $"{pairs} d.csv --part 1/3"));
        Report(Ot(1, $"{pairs} d.csv --part 2/3")); // as ranks leave them whose third was killed
        Assert.Contains("give --resume to go on", Ot(2, $"{pairs} d.csv").Error, StringComparison.Ordinal);
        JsonElement resumed = Report(Ot(2, $"{pairs} d.csv --resume"));
        Assert.Equal(2, resumed.GetProperty("computed").GetInt32());
        Assert.Equal(alone, File.ReadAllText(_folder.File("d.csv")));
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.journal"));

        Report(Ot(1, $"{pairs} e.csv --part 3/3"));
        Assert.Equal(4, Report(Ot(1, $"{pairs} e.csv --resume")).GetProperty("computed").GetInt32());
        Assert.Equal(alone, File.ReadAllText(_folder.File("e.csv")));
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.journal"));
    }

    [Theory]
    [InlineData("auto", "name one")]
    [InlineData("mpi", "each rank has its own")]
    public void BackEndsThatNoJournalCanNameAreRefused(string name, string message) =>
        Assert.Contains(
            message,
            Ot(2, $"pairwise x.csv y.csv --method divergence --backend {name} --output p.csv").Error,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("solve x.csv y.csv --epsilon 1e-4 --tolerance 1e-300 --max-iterations 2000000000 --checkpoint s.npz --json")]
    [InlineData("pairwise --list many.txt --method divergence --epsilon 1e-4 --tolerance 1e-14 --json --output p.csv")]
    public void AKilledRankIsNamed(string words)
    {
        File.WriteAllLines(_folder.File("many.txt"), Enumerable.Repeat("x.csv", 200));
        MpiJob job = MpiJob.StartProgram(2, "OT.Cli.dll", words, _folder.Path, lastLives: 4);
        Assert.NotEqual(0, job.Code);
        Assert.Contains("ot: rank 1 of 2 ended before its time", job.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Cancelled", job.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("solve bad.csv y.csv --epsilon 1", "bad.csv, line 42, column 'b': 'zwei'")]
    [InlineData("solve no.csv y.csv --epsilon 1", "ot: no.csv: no such file.")]
    [InlineData("solve few.csv y.csv --epsilon 1", "3 ranks for 2 rows")]
    [InlineData("solve a.csv b.csv --cost-matrix few.csv --epsilon 1", "2 x 2 costs for 60 weights")]
    [InlineData("solve x.csv y.csv", "runs in one process")]
    [InlineData("solve x.csv y.csv --epsilon 1 --backend managed", "mpirun started 3")]
    [InlineData("solve a.csv b.csv --cost-matrix c.npy --epsilon 1 --plan p.npz", "none can make the whole plan")]
    [InlineData("solve - y.csv --epsilon 1", "name files under mpirun")]
    public void BadInputIsRefusedInOneLine(string words, string message)
    {
        File.WriteAllText(_folder.File("few.csv"), "1,2\n3,4\n");
        File.WriteAllLines(_folder.File("bad.csv"), ["a,b", .. Enumerable.Range(0, 60).Select(i => i == 40 ? "1,zwei" : "1,2")]);
        MpiJob job = Ot(3, words);
        Assert.Equal(2, job.Code);
        string line = Assert.Single(job.Error.Split('\n'), line => line.StartsWith("ot: ", StringComparison.Ordinal));
        Assert.Contains(message, line, StringComparison.Ordinal);
    }

    MpiJob OtWithAnotherLast(string words, string lastWords) =>
        MpiJob.StartProgram(3, "OT.Cli.dll", words, _folder.Path, lastWords: lastWords);

    [Fact]
    public void ACopyOfAFileIsTheSameFile()
    {
        File.Copy(_folder.File("x.csv"), _folder.File("copy.csv"));
        Report(OtWithAnotherLast("solve x.csv y.csv --epsilon 1 --json", "solve copy.csv y.csv --epsilon 1"));
    }

    [Theory]
    [InlineData("solve x.csv y.csv --epsilon 1 --bogus", "ot: rank 2: '--bogus' is not known here.")]
    [InlineData("solve --help", "ot: rank 2 runs the help or the version, rank 0 ot solve: all ranks must run the same.")]
    [InlineData("divergence x.csv y.csv --epsilon 1", "ot: rank 2 runs ot divergence, rank 0 ot solve")]
    [InlineData("solve longer.csv y.csv --epsilon 1", "is another file on rank 2 than on rank 0")]
    [InlineData("solve other.csv y.csv --epsilon 1", "is another file on rank 2 than on rank 0")]
    public void WhatOneRankIsAskedForOtherwiseIsRefused(string lastWords, string message)
    {
        string points = File.ReadAllText(_folder.File("x.csv"));
        File.WriteAllText(_folder.File("longer.csv"), $"{points}1,2\n");
        int at = points.IndexOf(',', points.Length / 3) - 1;
        File.WriteAllText(_folder.File("other.csv"), $"{points[..at]}{(points[at] == '7' ? '8' : '7')}{points[(at + 1)..]}");
        MpiJob job = OtWithAnotherLast("solve x.csv y.csv --epsilon 1", lastWords);
        Assert.Equal(2, job.Code);
        string line = Assert.Single(job.Error.Split('\n'), line => line.StartsWith("ot: ", StringComparison.Ordinal));
        Assert.Contains(message, line, StringComparison.Ordinal);
    }
}
