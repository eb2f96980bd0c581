using OT.Applications.DomainAdaptation;
using OT.Geometries;
using OT.IO;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Tests.IO;
using Xunit;

namespace OT.Tests.Applications.DomainAdaptation;

/// <summary>Maps in files: the same bits, and refusals of what is no map.</summary>
public sealed class MapFileTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static Domain Source => new(Measure.Of([.. Clouds.Weights(9, 1)], Clouds.Normal(9, 2, 1)), [0, 0, 3, 3, -1, 0, 3, -1, 0]);

    static Domain Target =>
        new(Measure.Of([.. Clouds.Weights(9, 1).Reverse()], Clouds.Normal(9, 2, 2)), [0, -1, -1, -1, -1, 3, -1, -1, -1]);

    static PlanMaker Smooth => PlanMaker.Sinkhorn(Epsilon.RelativeToMean(0.1));

    public static TheoryData<string> Kinds => ["linear", "exact", "sinkhorn", "nearest", "gaussian", "cityblock", "euclidean"];

    static DomainMap Fitted(string kind) =>
        kind switch
        {
            "linear" => LinearMap.Fit(Source.Measure, Target.Measure, new() { Regularization = 0.01 }),
            "exact" => PlanMap.Fit(Source, Target, PlanMaker.Exact()),
            "sinkhorn" => PlanMap.Fit(Source, Target, Smooth),
            "nearest" => PlanMap.Fit(Source, Target, Smooth, new() { Extension = Extension.Nearest }),
            "gaussian" => PlanMap.Fit(
                Source,
                Target,
                PlanMaker.Exact(),
                new()
                {
                    Extension = Extension.Gaussian,
                    Ridge = 0.1,
                    Bandwidth = 2,
                }
            ),
            "cityblock" => PlanMap.Fit(Source, Target, Smooth, new() { Cost = GroundCost.CityBlock }),
            _ => PlanMap.Fit(Source, Target, Smooth, new() { Cost = GroundCost.Euclidean }),
        };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_map_that_was_kept_maps_to_the_same_bits(string kind)
    {
        DomainMap map = Fitted(kind);
        map.Save(_folder["map.npz"]);
        DomainMap read = DomainMap.Load(_folder["map.npz"]);
        Matrix points = Clouds.Normal(12, 2, 5);
        Assert.Equal(map.Transform(points).Values.ToArray(), read.Transform(points).Values.ToArray());
        Assert.Equal(map.InverseTransform(points).Values.ToArray(), read.InverseTransform(points).Values.ToArray());
        if (map is LinearMap linear)
        {
            var again = Assert.IsType<LinearMap>(read);
            Assert.Equal(
                (linear.TransportCost, linear.SourceRank, linear.CovarianceError),
                (again.TransportCost, again.SourceRank, again.CovarianceError)
            );
            return;
        }
        var (first, second) = ((PlanMap)map, Assert.IsType<PlanMap>(read));
        Assert.Equal(first.Images.Values.ToArray(), second.Images.Values.ToArray());
        Assert.Equal(first.InverseImages.Values.ToArray(), second.InverseImages.Values.ToArray());
        Assert.Equal(first.TransformLabels().Shares.Values.ToArray(), second.TransformLabels().Shares.Values.ToArray());
        Assert.Equal(
            (first.Method, first.Status, first.Extension, first.Epsilon),
            (second.Method, second.Status, second.Extension, second.Epsilon)
        );
        Assert.Equal(first.Cost, second.Cost);
        Assert.Null(second.Result);
        Assert.NotNull(first.Result);
    }

    [Fact]
    public void Costs_without_a_name_are_not_kept()
    {
        PlanMap map = PlanMap.Fit(Source, Target, PlanMaker.Exact(), new() { Cost = GroundCost.Euclidean.ToPower(1.5) });
        var refusal = Assert.Throws<NotSupportedException>(() => map.Save(_folder["map.npz"]));
        Assert.Contains("euclidean^1.5", refusal.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["map.npz"]));
    }

    [Fact]
    public void Files_that_are_no_maps_are_refused()
    {
        string path = _folder["map.npz"];
        void Refused(string says)
        {
            var refusal = Assert.Throws<InvalidDataException>(() => DomainMap.Load(path));
            Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
            Assert.Contains(path, refusal.Message, StringComparison.Ordinal);
        }
        void Change(string kind, string member, NpyArray? array)
        {
            Fitted(kind).Save(path);
            Dictionary<string, NpyArray> arrays = new(NpzFile.ReadAll(path));
            if (array is null)
                arrays.Remove(member);
            else
                arrays[member] = array;
            NpzFile.Write(path, [.. arrays.Select(entry => (entry.Key, entry.Value))]);
        }
        ResultFile.Save(path, ((PlanMap)Fitted("exact")).Result!);
        Refused("holds no map");
        File.WriteAllText(path, "nothing");
        Refused("not a .npz archive");
        Change("linear", "version", new NpyArray([99L]));
        Refused("later version (99)");
        Change("linear", "map", new NpyArray("curved"));
        Refused("curved");
        Change("linear", "mean_target", new NpyArray([1.0, 2, 3], 3));
        Refused("mean_target");
        Change("linear", "matrix", new NpyArray([1.0, 2, 3, 4, 5, 6], 2, 3));
        Refused("matrix");
        Change("linear", "matrix", new NpyArray([1.0, 2, 3, double.NaN], 2, 2));
        Refused("matrix[3]");
        Change("exact", "target", null);
        Refused("'target'");
        Change("exact", "b", new NpyArray([1.0], 1));
        Refused("9 points");
        Change("exact", "labels_source", new NpyArray([0L], 1));
        Refused("labels");
        Change("exact", "cost", new NpyArray("taxi"));
        Refused("taxi");
        Change("exact", "extension", new NpyArray("77"));
        Refused("extension");
        Change("exact", "shape", new NpyArray([9L, 10], 2));
        Refused("9 x 10");
        Change("sinkhorn", "f", new NpyArray([1.0], 1));
        Refused("potentials");
        Change("sinkhorn", "epsilon", new NpyArray([-1.0]));
        Refused("epsilon");
        Change("exact", "extension", new NpyArray("Entropic"));
        Refused("potentials");
        Change("gaussian", "ridge", new NpyArray([0.0]));
        Refused("Ridge");
    }
}
